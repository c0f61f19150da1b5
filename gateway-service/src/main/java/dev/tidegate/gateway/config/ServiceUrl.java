package dev.tidegate.gateway.config;

import java.net.URI;

/** The rule for URLs of other services. */
final class ServiceUrl {
    private ServiceUrl() {}

    static void check(String name, URI url) {
        boolean http = "http".equalsIgnoreCase(url.getScheme()) || "https".equalsIgnoreCase(url.getScheme());
        if (!http || url.getHost() == null || url.getRawUserInfo() != null) {
            throw new InvalidSetting(name, url, "http://host:port or https://host:port");
        }
    }
}
