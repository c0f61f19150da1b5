package dev.tidegate.perf.deep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OptionsTest {
    @Test
    void theCommandOfAServiceIsTheRest() {
        // when
        Options o = Options.parse(
                List.of("--kafka", "k:1", "--postgres", "none", "--records", "20000", "--service", "java", "--x", "-y"),
                "deep",
                10);

        // then
        assertThat(o.kafka()).isEqualTo("k:1");
        assertThat(o.postgres()).isNull();
        assertThat(o.records()).isEqualTo(20_000);
        assertThat(o.clients()).isEqualTo(1_000);
        assertThat(o.service()).containsExactly("java", "--x", "-y");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    --records 5 --service java     | --records: 5 (expected: 10000 to 1000000000)
                    --records many --service java  | --records: many (expected: 10000 to 1000000000)
                    --clients 0 --service java     | --clients: 0 (expected: 1 to 1000)
                    --what 1 --service java        | --what (expected: --kafka,
                    --records                      | --records: nothing (expected: a value)
                    --records 20000                | --service: nothing
                    """)
    void whatCannotBeIsSaid(String words, String said) {
        assertThatThrownBy(() -> Options.parse(List.of(words.strip().split(" +")), "deep", 10))
                .isInstanceOf(Options.Wrong.class)
                .hasMessageStartingWith(said.strip());
    }
}
