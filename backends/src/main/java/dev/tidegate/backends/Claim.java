package dev.tidegate.backends;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One backend's part of a {@link DataFolder}, held by this process alone. The operating system drops the lock when the process dies, however
 * it dies; a native child that outlived it is found by the recorded process and ended before the part is used again.
 */
public final class Claim implements AutoCloseable {

    /** How long a child of a killed run may take to end by itself: its guard is already stopping it. */
    private static final Duration LEFT_OVER_WITHIN = Duration.ofSeconds(12);

    /** How long the lock may take to come free: a child JVM of a killed run holds it until it has stopped in order. */
    private static final Duration LOCK_WITHIN = Duration.ofSeconds(3);

    /** How far two readings of one process' start may lie apart: Linux derives it from the boot time, which the clock's discipline moves. */
    private static final Duration START_TOLERANCE = Duration.ofSeconds(2);

    private final DataFolder data;
    private final BackendKind kind;
    private final FileChannel channel;
    private final FileLock lock;

    private Claim(DataFolder data, BackendKind kind, FileChannel channel, FileLock lock) {
        this.data = data;
        this.kind = kind;
        this.channel = channel;
        this.lock = lock;
    }

    static Claim take(DataFolder data, BackendKind kind) {
        Path file = data.path().resolve(kind.label() + ".lock");
        FileChannel channel = null;
        try {
            channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            FileLock lock = lockWithin(channel);
            if (lock == null) {
                String holder = Files.readString(file, StandardCharsets.UTF_8).strip();
                channel.close();
                throw new StartFailure("data folder " + data.path() + " is in use: its " + kind.label()
                        + " belongs to process " + (holder.isEmpty() ? "of another Tidegate" : holder)
                        + "; stop that, or choose another folder with TIDEGATE_DATA");
            }
            channel.truncate(0);
            channel.write(
                    ByteBuffer.wrap(Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.UTF_8)));
            Claim claim = new Claim(data, kind, channel, lock);
            claim.endLeftOver();
            return claim;
        } catch (IOException e) {
            throw new StartFailure("data folder " + data.path() + " cannot be used: " + DataFolder.describe(e), e);
        }
    }

    private static @Nullable FileLock lockWithin(FileChannel channel) throws IOException {
        long deadline = System.nanoTime() + LOCK_WITHIN.toNanos();
        FileLock lock = tryLock(channel);
        while (lock == null && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
            lock = tryLock(channel);
        }
        return lock;
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException heldByThisJvm) {
            return null;
        }
    }

    /** The backend this is for. */
    BackendKind kind() {
        return kind;
    }

    /** The backend's log file. */
    Path log() {
        return data.log(kind);
    }

    /** Where the backend stores its files. May not exist yet. */
    Path folder() {
        return data.path().resolve(kind.label());
    }

    /**
     * The backend's folder, made by {@code format} if there is none. The work is done beside it and moved into place when it is whole, so that
     * a start that is killed half-way leaves nothing that looks like a damaged folder.
     */
    Path formatted(Format format) {
        Path folder = folder();
        if (Files.exists(folder)) {
            return folder;
        }
        Path fresh = data.path().resolve(kind.label() + ".new");
        try {
            deleteTree(fresh);
            Files.createDirectory(fresh);
            format.into(fresh);
            Files.move(fresh, folder);
            return folder;
        } catch (IOException e) {
            throw new StartFailure("data folder " + folder + " cannot be made: " + DataFolder.describe(e), e);
        }
    }

    /** Writes a backend's first files into an empty folder. */
    @FunctionalInterface
    interface Format {
        void into(Path emptyFolder) throws IOException;
    }

    static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        List<Path> deepestFirst;
        try (Stream<Path> files = Files.walk(root)) {
            deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : deepestFirst) {
            Files.delete(file);
        }
    }

    /** Remembers {@code process} as the one that works on this part. */
    void record(ProcessHandle process) {
        long started = process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
        try {
            Files.writeString(pidFile(), process.pid() + " " + started + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void endLeftOver() throws IOException {
        Optional<ProcessHandle> leftOver = recorded();
        if (leftOver.isPresent()) {
            ProcessHandle process = leftOver.get();
            process.destroy();
            if (!endsWithin(process, LEFT_OVER_WITHIN)) {
                process.destroyForcibly();
                if (!endsWithin(process, LEFT_OVER_WITHIN)) {
                    throw new StartFailure(kind.label() + " of an earlier run (process " + process.pid()
                            + ") still works on " + folder() + " and cannot be ended: end it by hand");
                }
            }
        }
        Files.deleteIfExists(pidFile());
    }

    private Optional<ProcessHandle> recorded() throws IOException {
        if (!Files.exists(pidFile())) {
            return Optional.empty();
        }
        String[] words = Files.readString(pidFile()).strip().split(" ", -1);
        if (words.length != 2 || !words[0].matches("[0-9]{1,18}") || !words[1].matches("[0-9]{1,18}")) {
            return Optional.empty();
        }
        Instant started = Instant.ofEpochMilli(Long.parseLong(words[1]));
        return ProcessHandle.of(Long.parseLong(words[0]))
                .filter(process -> process.info()
                        .startInstant()
                        .map(start -> Duration.between(started, start).abs().compareTo(START_TOLERANCE) <= 0)
                        .orElse(false));
    }

    private static boolean endsWithin(ProcessHandle process, Duration within) {
        try {
            process.onExit().get(within.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return !process.isAlive();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return !process.isAlive();
        }
    }

    private Path pidFile() {
        return data.path().resolve(kind.label() + ".pid");
    }

    /** Gives the part back. Idempotent. */
    @Override
    public synchronized void close() {
        try {
            if (channel.isOpen()) {
                lock.close();
                channel.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
