package dev.tidegate.gateway.transport;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of negotiating permessage-deflate (RFC 7692, 5 and 7.1). A client names its offers in the order of its
 * preference; the first that we can keep is accepted, always with no context taken over from one message to the next, in
 * either direction: so a message can be compressed once for everybody, and a connection keeps no window. Both may be
 * demanded of a client that did not mention them.
 *
 * <p>An offer that asks for a smaller window of ours than the largest is passed over: zlib in the JDK knows no other. A
 * header that is not well-formed is taken for no offer, since a proxy's fault is no reason to keep a client out.
 */
final class DeflateOffer {
    private static final String NAME = "permessage-deflate";
    private static final String SERVER_NO_CONTEXT = "server_no_context_takeover";
    private static final String CLIENT_NO_CONTEXT = "client_no_context_takeover";
    private static final String SERVER_WINDOW = "server_max_window_bits";
    private static final String CLIENT_WINDOW = "client_max_window_bits";
    private static final String LARGEST_WINDOW = "15";

    private final String text;
    private int at;

    private DeflateOffer(String text) {
        this.text = text;
    }

    /**
     * The value of the answer's {@code Sec-WebSocket-Extensions}.
     *
     * @param headers the request's headers of that name, in order
     * @return null if nothing we can keep was offered
     */
    static @Nullable String answer(List<String> headers) {
        if (headers.isEmpty()) {
            return null;
        }
        return new DeflateOffer(String.join(",", headers)).first();
    }

    /** Reads all of the list, so that what is not well-formed anywhere counts for nothing. */
    private @Nullable String first() {
        String answer = null;
        while (true) {
            space();
            if (at < text.length() && text.charAt(at) != ',') { // an element of a list may be empty (RFC 9110, 5.6.1)
                String name = token();
                Map<String, String> parameters = new HashMap<>();
                boolean sound = !name.isEmpty() && parameters(parameters);
                if (at < text.length() && text.charAt(at) != ',') {
                    return null;
                }
                if (answer == null && sound && name.equalsIgnoreCase(NAME)) {
                    answer = accept(parameters);
                }
            }
            if (at >= text.length()) {
                return answer;
            }
            at++;
        }
    }

    /** Reads {@code *( ";" name [ "=" value ] )}; false if a name stands twice, or stops where it is not well-formed. */
    private boolean parameters(Map<String, String> into) {
        boolean sound = true;
        for (space(); at < text.length() && text.charAt(at) == ';'; space()) {
            at++;
            space();
            String name = token().toLowerCase(Locale.ROOT);
            space();
            String value = "";
            if (at < text.length() && text.charAt(at) == '=') {
                at++;
                space();
                value = value();
                sound &= !value.isEmpty();
            }
            sound &= !name.isEmpty() && into.put(name, value) == null;
        }
        return sound;
    }

    private String value() {
        if (at >= text.length() || text.charAt(at) != '"') {
            return token();
        }
        int from = ++at;
        String inside = token(); // a quoted value must be a token, too (RFC 6455, 9.1)
        if (at < text.length() && text.charAt(at) == '"') {
            at++;
            return inside;
        }
        at = from - 1; // not well-formed: the caller finds neither a separator nor the end here
        return "";
    }

    private String token() {
        int from = at;
        while (at < text.length() && isTokenChar(text.charAt(at))) {
            at++;
        }
        return text.substring(from, at);
    }

    private static boolean isTokenChar(char c) {
        return c > ' ' && c < 127 && "()<>@,;:\\\"/[]?={}".indexOf(c) < 0;
    }

    private void space() {
        while (at < text.length() && (text.charAt(at) == ' ' || text.charAt(at) == '\t')) {
            at++;
        }
    }

    private static @Nullable String accept(Map<String, String> parameters) {
        for (Map.Entry<String, String> p : parameters.entrySet()) {
            String value = p.getValue();
            boolean kept = switch (p.getKey()) {
                case SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT -> value.isEmpty();
                case SERVER_WINDOW -> value.equals(LARGEST_WINDOW);
                case CLIENT_WINDOW -> value.isEmpty() || value.matches("[89]|1[0-5]"); // a hint, which we do not need
                default -> false; // RFC 7692, 7: an offer with a parameter that is not known must be declined
            };
            if (!kept) {
                return null;
            }
        }
        String answer = NAME + "; " + SERVER_NO_CONTEXT + "; " + CLIENT_NO_CONTEXT;
        return parameters.containsKey(SERVER_WINDOW) ? answer + "; " + SERVER_WINDOW + "=" + LARGEST_WINDOW : answer;
    }
}
