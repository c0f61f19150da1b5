package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeflateOfferTest {
    private static final String AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "permessage-deflate", // Firefox
                "permessage-deflate; client_max_window_bits", // Chrome, ws
                "Permessage-Deflate ;Client_Max_Window_Bits = 8",
                "permessage-deflate; client_max_window_bits=\"15\"",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "x-webkit-deflate-frame, permessage-deflate",
                ", ,other; a=b; c=\"d\" , permessage-deflate,",
                "permessage-deflate; server_max_window_bits=10, permessage-deflate", // the second offer is the one
                "permessage-deflate; unknown, permessage-deflate; client_max_window_bits=9",
            })
    void agreesOnAnOfferItCanKeep(String offer) {
        assertThat(DeflateOffer.answer(List.of(offer))).isEqualTo(AGREED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "permessage-bzip2",
                "permessage-deflate-not",
                "permessage-deflate; unknown",
                "permessage-deflate; server_max_window_bits=10", // a window zlib in the JDK does not know
                "permessage-deflate; server_max_window_bits", // needs a value
                "permessage-deflate; server_max_window_bits=16",
                "permessage-deflate; server_max_window_bits=015",
                "permessage-deflate; client_max_window_bits=7",
                "permessage-deflate; client_max_window_bits=+9",
                "permessage-deflate; client_max_window_bits=",
                "permessage-deflate; server_no_context_takeover=1",
                "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
                "permessage-deflate;",
                "permessage-deflate; client_max_window_bits=\"1 5\"",
                "permessage-deflate; client_max_window_bits=\"15",
                "permessage-deflate, a b", // not well-formed anywhere: no offer at all
                "permessage-deflate, =",
            })
    void declinesAnyOther(String offer) {
        assertThat(DeflateOffer.answer(List.of(offer))).isNull();
    }

    @Test
    void namesTheWindowThatWasAskedFor() {
        assertThat(DeflateOffer.answer(List.of("permessage-deflate; server_max_window_bits=15")))
                .isEqualTo(AGREED + "; server_max_window_bits=15");
    }

    @Test
    void readsSeveralHeadersAsOne() {
        assertThat(DeflateOffer.answer(List.of("other", "permessage-deflate"))).isEqualTo(AGREED);
        assertThat(DeflateOffer.answer(List.of())).isNull();
    }
}
