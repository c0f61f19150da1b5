package dev.tidegate.perf.swarm;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Entry of the parent ({@code swarm fanout --connections 5000 …}) and of its children ({@code swarm child}). */
public final class SwarmMain {
    /** Everything received, once, in order, without a hole. */
    static final int EXACT = 0;

    static final int NOT_EXACT = 1;
    static final int WRONG_COMMAND_LINE = 2;
    static final int NOT_RUN = 3;

    private SwarmMain() {}

    public static void main(String[] arguments) throws IOException {
        List<String> words = List.of(arguments);
        if (words.equals(List.of("child"))) {
            child();
        } else {
            System.exit(parent(words));
        }
    }

    static int parent(List<String> words) {
        if (words.contains("--help")) {
            System.out.print(Settings.USAGE);
            return EXACT;
        }
        try {
            return new Coordinator(Settings.parse(words), System.out).run();
        } catch (Arguments.Wrong e) {
            System.err.println("swarm: " + e.getMessage());
            System.err.print(Settings.USAGE);
            return WRONG_COMMAND_LINE;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return NOT_RUN;
        } catch (Exception e) {
            System.err.println("swarm: could not be run: " + e);
            return NOT_RUN;
        }
    }

    /** Reads commands until they end; a parent that is gone ends them. */
    private static void child() throws IOException {
        PrintStream out = System.out;
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        @Nullable Swarm swarm = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Wire.Command command = Wire.JSON.readValue(line, Wire.Command.class);
            if (command instanceof Wire.Command.Start start) {
                swarm = new Swarm(start, report -> tell(out, report));
            }
            if (swarm == null) {
                throw new IllegalStateException("the first command is not Start");
            }
            swarm.accept(command);
        }
        System.exit(0);
    }

    private static void tell(PrintStream out, Wire.Report report) {
        out.println(Wire.JSON.writerFor(Wire.Report.class).writeValueAsString(report));
        out.flush();
    }
}
