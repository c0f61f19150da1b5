package dev.tidegate.perf.deep;

import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Properties;

/** What a run has left in the archive. */
final class ArchivedRows {
    private ArchivedRows() {}

    private static Connection connect(String postgres) throws SQLException {
        URI uri = URI.create(postgres);
        Properties properties = new Properties();
        String user = uri.getUserInfo();
        if (user != null) {
            String[] parts = user.split(":", 2);
            properties.setProperty("user", parts[0]);
            if (parts.length == 2) {
                properties.setProperty("password", parts[1]);
            }
        }
        return DriverManager.getConnection(
                "jdbc:postgresql://" + uri.getHost() + ":" + (uri.getPort() < 0 ? 5432 : uri.getPort()) + uri.getPath(),
                properties);
    }

    /** How many events of that topic the archive has. */
    static long count(String postgres, String epoch) throws SQLException {
        try (Connection c = connect(postgres);
                PreparedStatement s = c.prepareStatement("SELECT count(*) FROM replay.archive_event WHERE epoch = ?")) {
            s.setString(1, epoch);
            try (ResultSet r = s.executeQuery()) {
                return r.next() ? r.getLong(1) : 0;
            }
        }
    }

    /** Forgets a topic that is gone. */
    static void delete(String postgres, String epoch) {
        try (Connection c = connect(postgres)) {
            for (String table : List.of("archive_segment", "archive_position", "archive_event")) {
                try (PreparedStatement s = c.prepareStatement("DELETE FROM replay." + table + " WHERE epoch = ?")) {
                    s.setString(1, epoch);
                    s.executeUpdate();
                }
            }
        } catch (SQLException e) {
            System.err.println("archived rows of epoch " + epoch + " could not be deleted: " + e.getMessage());
        }
    }
}
