package dev.tidegate.backends;

/** Where Kafka's server logs in a JVM that runs it: a file of the data folder, so that the terminal keeps to what concerns its reader. */
public final class BackendLogging {

    private BackendLogging() {}

    /** Must run before anything in this JVM asks for a logger; what was configured explicitly stays. */
    public static void toFilesOf(DataFolder data) {
        System.setProperty("tidegate.logs", data.logs().toString());
        if (System.getProperty("logback.configurationFile") == null) {
            System.setProperty("logback.configurationFile", "backends-logback.xml");
        }
    }
}
