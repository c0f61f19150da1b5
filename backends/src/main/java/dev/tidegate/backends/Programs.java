package dev.tidegate.backends;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * The native programs of Redis and PostgreSQL, unpacked from the class path into the user's cache folder ({@code XDG_CACHE_HOME}, or
 * {@code ~/.cache}), once for all data folders: PostgreSQL takes 2 s to unpack. A program's folder carries the length of the archive in its
 * name and appears when it is whole.
 */
final class Programs {

    private Programs() {}

    /** Redis' server program. */
    static Path redis() {
        String resource = switch (platform()) {
            case "linux-x86_64" -> "redis-server-6.2.6-v5-linux-amd64";
            case "linux-arm64" -> "redis-server-6.2.7-linux-arm64";
            case "darwin-x86_64" -> "redis-server-6.2.6-v5-darwin-amd64";
            case "darwin-arm64" -> "redis-server-6.2.6-v5-darwin-arm64";
            default -> throw unsupported("Redis", BackendKind.REDIS);
        };
        return unpacked("Redis", BackendKind.REDIS, resource, Programs::copy).resolve("redis-server");
    }

    /** The folder of PostgreSQL's programs. */
    static Path postgres() {
        String resource = switch (platform()) {
            case "linux-x86_64" -> "postgres-linux-x86_64.txz";
            case "linux-arm64" -> "postgres-linux-arm_64.txz";
            case "darwin-x86_64" -> "postgres-darwin-x86_64.txz";
            case "darwin-arm64" -> "postgres-darwin-arm_64.txz";
            default -> throw unsupported("PostgreSQL", BackendKind.POSTGRES);
        };
        return unpacked("PostgreSQL", BackendKind.POSTGRES, resource, Programs::untar)
                .resolve("bin");
    }

    private static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String system = os.startsWith("linux") ? "linux" : os.startsWith("mac") ? "darwin" : os;
        String machine = switch (System.getProperty("os.arch")) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "arm64";
            case String other -> other;
        };
        return system + "-" + machine;
    }

    private static StartFailure unsupported(String program, BackendKind kind) {
        return new StartFailure("no embedded " + program + " for " + platform()
                + ": start the services by themselves, with " + kind.addressVariable() + " naming one of yours");
    }

    @FunctionalInterface
    private interface Unpacker {
        void unpack(InputStream archive, Path folder) throws IOException;
    }

    private static Path unpacked(String program, BackendKind kind, String resource, Unpacker unpacker) {
        URL archive = Programs.class.getResource("/" + resource);
        if (archive == null) {
            throw unsupported(program, kind);
        }
        try {
            URLConnection connection = archive.openConnection();
            Path cache = cacheFolder();
            Path folder = cache.resolve(resource + "-" + connection.getContentLengthLong());
            if (!Files.isDirectory(folder)) {
                Path fresh = Files.createTempDirectory(cache, ".unpacking-");
                try (InputStream in = new BufferedInputStream(connection.getInputStream(), 1 << 16)) {
                    unpacker.unpack(in, fresh);
                }
                moveIntoPlace(fresh, folder);
            }
            return folder;
        } catch (IOException e) {
            throw new StartFailure(program + "'s programs cannot be unpacked: " + DataFolder.describe(e), e);
        }
    }

    private static void moveIntoPlace(Path fresh, Path folder) throws IOException {
        try {
            Files.move(fresh, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            // Another start has unpacked the same meanwhile; its folder is as good.
            Claim.deleteTree(fresh);
            if (!Files.isDirectory(folder)) {
                throw e;
            }
        }
    }

    private static Path cacheFolder() throws IOException {
        String named = System.getenv().getOrDefault("XDG_CACHE_HOME", "");
        Path base = named.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(named);
        Path cache = base.resolve("tidegate");
        Files.createDirectories(cache);
        return cache.toAbsolutePath();
    }

    private static void copy(InputStream program, Path folder) throws IOException {
        Path file = folder.resolve("redis-server");
        Files.copy(program, file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void untar(InputStream archive, Path folder) throws IOException {
        // The archive is a dependency of the build, yet an entry that leaves the folder is refused as if it came from
        // anywhere.
        try (TarArchiveInputStream tar = new TarArchiveInputStream(new XZInputStream(archive))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                Path target = inside(folder, folder.resolve(entry.getName()));
                if (entry.isDirectory()) {
                    Files.createDirectories(target);
                    continue;
                }
                Files.createDirectories(target.getParent());
                if (entry.isSymbolicLink()) {
                    inside(folder, target.resolveSibling(entry.getLinkName()));
                    Files.createSymbolicLink(target, Path.of(entry.getLinkName()));
                } else if (entry.isLink()) {
                    Files.createLink(target, inside(folder, folder.resolve(entry.getLinkName())));
                } else {
                    Files.copy(tar, target);
                    Files.setPosixFilePermissions(target, permissions(entry.getMode()));
                }
            }
        }
    }

    private static Path inside(Path folder, Path path) throws IOException {
        if (!path.normalize().startsWith(folder)) {
            throw new IOException("archive entry leaves its folder: " + path);
        }
        return path.normalize();
    }

    private static Set<PosixFilePermission> permissions(int mode) {
        Set<PosixFilePermission> permissions = EnumSet.of(
                PosixFilePermission.OWNER_READ,
                PosixFilePermission.OWNER_WRITE,
                PosixFilePermission.GROUP_READ,
                PosixFilePermission.OTHERS_READ);
        if ((mode & 0100) != 0) {
            permissions.addAll(EnumSet.of(
                    PosixFilePermission.OWNER_EXECUTE,
                    PosixFilePermission.GROUP_EXECUTE,
                    PosixFilePermission.OTHERS_EXECUTE));
        }
        return permissions;
    }
}
