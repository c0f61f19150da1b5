package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class EpochTest {
    /** Golden: an epoch that changed with a release would turn every cursor out there into a gap. */
    @Test
    void theEpochOfATopicNeverChanges() {
        assertThat(Epoch.of(0, 0)).isEqualTo("N0cI__dx");
        UUID id = UUID.fromString("6f1c9a52-3c1e-4b7f-9d55-0a1b2c3d4e5f");
        assertThat(Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits()))
                .isEqualTo("K5PJOcs9");
    }

    @Test
    void epochsOfManyTopicsDifferAndAreGoodForCursors() {
        // given
        Set<String> seen = new HashSet<>();

        // when
        for (int i = 0; i < 10_000; i++) {
            seen.add(Epoch.of(1, i));
            seen.add(Epoch.of(i + 2, 1));
        }

        // then
        assertThat(seen)
                .hasSize(20_000)
                .allMatch(e -> e.length() == Epoch.LENGTH)
                .allMatch(e -> Cursor.parse(e + ".0.0").epoch().equals(e));
    }
}
