package dev.tidegate.gateway.transport.calls;

import io.netty.channel.ConnectTimeoutException;
import io.netty.handler.timeout.ReadTimeoutException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import reactor.core.Exceptions;
import reactor.netty.channel.AbortedException;
import reactor.netty.http.client.PrematureCloseException;

/** Says in a few words why a call failed: it stands in logs and in errors to clients, who need no stack traces. */
final class CallFailures {
    private CallFailures() {}

    /** Whether the connection ended before the answer, so that the call may or may not have been heard. */
    static boolean brokeOff(Throwable failure) {
        Throwable e = Exceptions.unwrap(failure);
        return e instanceof PrematureCloseException || AbortedException.isConnectionReset(e);
    }

    static String told(Throwable failure) {
        Throwable e = Exceptions.unwrap(failure);
        return switch (e) {
            case ReadTimeoutException t -> "no progress in time";
            case ConnectTimeoutException t -> "connecting takes too long";
            case ConnectException t -> "cannot connect";
            case UnknownHostException t -> "the host is not known";
            case PrematureCloseException t -> "the connection broke off";
            default -> {
                String message = e.getMessage();
                yield message == null || message.isBlank() ? e.getClass().getSimpleName() : message;
            }
        };
    }
}
