package dev.tidegate.gateway.session;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A ring of io_uring that does nothing but send: a broadcast puts one entry per socket into it and submits up to
 * {@value #ENTRIES} by one system call. The sends do not wait ({@code MSG_DONTWAIT}), so the kernel carries all of them out
 * during that call, and only those that did not go out whole leave a completion ({@code IOSQE_CQE_SKIP_SUCCESS}): when
 * {@link #flush} returns, nothing refers to the buffer any more. So a broadcast needs one buffer with one reference, and
 * no duplicate, promise or outbound entry per subscriber. It works beside any transport whose channels are file
 * descriptors of sockets; measured against that transport's own writes in docs/performance.md.
 *
 * <p>Confined to one event loop from its construction on (the kernel is told so). {@link #open} answers null where the
 * kernel, its version or a sandbox forbids it; the shard then writes through the transport.
 */
final class SendRing implements AutoCloseable {
    /** Sends by one system call at most; the kernel's table of them takes 64 bytes each. */
    static final int ENTRIES = 512;

    /** Hears of a send that did not go out whole. */
    interface Incomplete {
        /**
         * During {@link #flush}; must not touch the ring.
         *
         * @param tag what {@link #send} was given
         * @param result bytes that the socket took, or a negative errno: none
         */
        void incomplete(int tag, int result);
    }

    private static final Logger LOG = LoggerFactory.getLogger(SendRing.class);

    // linux/io_uring.h, the same on x86-64 and arm64; the version is the kernel that brought it.
    private static final long NR_SETUP = 425;
    private static final long NR_ENTER = 426;
    private static final int SETUP_SUBMIT_ALL = 1 << 7; // 5.18
    private static final int SETUP_SINGLE_ISSUER = 1 << 12; // 6.0
    private static final int SETUP_DEFER_TASKRUN = 1 << 13; // 6.1
    private static final int SETUP_NO_SQARRAY = 1 << 16; // 6.6
    private static final int FEAT_SINGLE_MMAP = 1; // 5.4
    private static final int FEAT_CQE_SKIP = 1 << 11; // 5.17
    private static final byte OP_SEND = 26;
    private static final byte SQE_CQE_SKIP_SUCCESS = 1 << 6;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_WAITALL = 0x100; // makes a partial send a failure, which is told
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final long OFF_SQES = 0x10000000L;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED_POPULATE = 0x8001;

    // struct io_uring_params and, within it, the offsets of the two rings.
    private static final int PARAMS_SIZE = 120;
    private static final int SQ_OFF = 40;
    private static final int CQ_OFF = 80;
    private static final int SQE_SIZE = 64;
    private static final int CQE_SIZE = 16;

    private static final VarHandle INT = JAVA_INT.varHandle();

    /** The system calls; null where there is no Linux under us. */
    private static final @Nullable Libc LIBC = Libc.find();

    private final Libc libc;
    private final Incomplete incomplete;
    private final int fd;
    private final int entries;
    private final int sqMask;
    private final int cqMask;
    private final MemorySegment ring;
    private final MemorySegment sqes;
    private final MemorySegment sqTail;
    private final MemorySegment cqHead;
    private final MemorySegment cqTail;
    private final MemorySegment cqes;
    private int tail;
    private int head;
    private int queued;

    private SendRing(Libc libc, int fd, MemorySegment params, Incomplete incomplete) {
        this.libc = libc;
        this.incomplete = incomplete;
        this.fd = fd;
        this.entries = params.get(JAVA_INT, 0);
        int cqEntries = params.get(JAVA_INT, 4);
        boolean indirect = (params.get(JAVA_INT, 8) & SETUP_NO_SQARRAY) == 0;
        int array = params.get(JAVA_INT, SQ_OFF + 24);
        int cqesAt = params.get(JAVA_INT, CQ_OFF + 20);
        long size = Math.max(cqesAt + (long) CQE_SIZE * cqEntries, indirect ? array + 4L * entries : 0);
        this.ring = libc.map(fd, size, 0);
        this.sqes = libc.map(fd, (long) SQE_SIZE * entries, OFF_SQES);
        this.sqTail = ring.asSlice(params.get(JAVA_INT, SQ_OFF + 4), 4);
        this.sqMask = ring.get(JAVA_INT, params.get(JAVA_INT, SQ_OFF + 8));
        this.cqHead = ring.asSlice(params.get(JAVA_INT, CQ_OFF), 4);
        this.cqTail = ring.asSlice(params.get(JAVA_INT, CQ_OFF + 4), 4);
        this.cqMask = ring.get(JAVA_INT, params.get(JAVA_INT, CQ_OFF + 8));
        this.cqes = ring.asSlice(cqesAt, (long) CQE_SIZE * cqEntries);
        for (int i = 0; i < entries; i++) {
            long at = (long) SQE_SIZE * i;
            sqes.set(JAVA_BYTE, at, OP_SEND);
            sqes.set(JAVA_BYTE, at + 1, SQE_CQE_SKIP_SUCCESS);
            sqes.set(JAVA_INT, at + 28, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
            if (indirect) {
                ring.set(JAVA_INT, array + 4L * i, i);
            }
        }
    }

    /** A ring for the calling event loop, or null if none can be had here. */
    static @Nullable SendRing open(Incomplete incomplete) {
        Libc libc = LIBC;
        if (libc == null) {
            return null;
        }
        try (Arena arena = Arena.ofConfined()) {
            int best = SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_NO_SQARRAY;
            for (int flags : new int[] {best, SETUP_SUBMIT_ALL}) {
                MemorySegment params = arena.allocate(PARAMS_SIZE, 8);
                params.set(JAVA_INT, 8, flags);
                int fd = libc.setup(ENTRIES, params);
                if (fd < 0) {
                    continue;
                }
                int features = params.get(JAVA_INT, 20);
                if ((features & FEAT_SINGLE_MMAP) != 0 && (features & FEAT_CQE_SKIP) != 0) {
                    return new SendRing(libc, fd, params, incomplete);
                }
                libc.close(fd);
            }
        } catch (IllegalStateException e) {
            LOG.debug("no send ring", e);
        }
        return null;
    }

    /** Puts a send into the ring, submitting first what is in it if it is full. */
    void send(int socket, long address, int length, int tag) {
        if (queued == entries) {
            flush();
        }
        long at = (long) SQE_SIZE * (tail & sqMask);
        sqes.set(JAVA_INT, at + 4, socket);
        sqes.set(JAVA_LONG, at + 16, address);
        sqes.set(JAVA_INT, at + 24, length);
        sqes.set(JAVA_LONG, at + 32, tag);
        tail++;
        queued++;
    }

    /** Sends in the ring that have not been submitted. */
    int queued() {
        return queued;
    }

    /** Carries out every send in the ring; on return none is under way. */
    void flush() {
        while (queued > 0) {
            INT.setRelease(sqTail, 0L, tail);
            int submitted = libc.enter(fd, queued);
            if (submitted <= 0) {
                throw new IllegalStateException("io_uring_enter submitted nothing");
            }
            queued -= submitted;
            reap();
        }
    }

    private void reap() {
        int end = (int) INT.getAcquire(cqTail, 0L);
        while (head != end) {
            long at = (long) CQE_SIZE * (head & cqMask);
            int tag = (int) cqes.get(JAVA_LONG, at);
            int result = cqes.get(JAVA_INT, at + 8);
            head++;
            incomplete.incomplete(tag, result);
        }
        INT.setRelease(cqHead, 0L, head);
    }

    @Override
    public void close() {
        libc.unmap(sqes);
        libc.unmap(ring);
        libc.close(fd);
    }

    /** The four calls of the C library that a ring needs. */
    @SuppressWarnings(
            "restricted") // native calls are what this is for; services are started with --enable-native-access
    private record Libc(
            MethodHandle syscallSetup,
            MethodHandle syscallEnter,
            MethodHandle mmap,
            MethodHandle munmap,
            MethodHandle closeFd) {

        static @Nullable Libc find() {
            if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")) {
                return null;
            }
            try {
                Linker linker = Linker.nativeLinker();
                SymbolLookup symbols = linker.defaultLookup();
                MemorySegment syscall = symbols.find("syscall").orElseThrow();
                Linker.Option variadic = Linker.Option.firstVariadicArg(1);
                return new Libc(
                        linker.downcallHandle(
                                syscall, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS), variadic),
                        linker.downcallHandle(
                                syscall,
                                FunctionDescriptor.of(
                                        JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG,
                                        JAVA_LONG),
                                variadic),
                        linker.downcallHandle(
                                symbols.find("mmap").orElseThrow(),
                                FunctionDescriptor.of(
                                        ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG)),
                        linker.downcallHandle(
                                symbols.find("munmap").orElseThrow(),
                                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG)),
                        linker.downcallHandle(
                                symbols.find("close").orElseThrow(), FunctionDescriptor.of(JAVA_INT, JAVA_INT)));
            } catch (RuntimeException | LinkageError e) {
                LOG.debug("no native calls here", e);
                return null;
            }
        }

        int setup(int entries, MemorySegment params) {
            try {
                return (int) (long) syscallSetup.invokeExact(NR_SETUP, entries, params);
            } catch (Throwable e) {
                throw failed(e);
            }
        }

        int enter(int fd, int count) {
            try {
                return (int) (long) syscallEnter.invokeExact(NR_ENTER, fd, count, 0, 0, 0L, 0L);
            } catch (Throwable e) {
                throw failed(e);
            }
        }

        MemorySegment map(int fd, long size, long offset) {
            try {
                MemorySegment at =
                        (MemorySegment) mmap.invokeExact(0L, size, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset);
                if (at.address() == -1) {
                    throw new IllegalStateException("mmap of a ring failed");
                }
                return at.reinterpret(size);
            } catch (IllegalStateException e) {
                throw e;
            } catch (Throwable e) {
                throw failed(e);
            }
        }

        void unmap(MemorySegment s) {
            try {
                int _ = (int) munmap.invokeExact(s, s.byteSize());
            } catch (Throwable e) {
                throw failed(e);
            }
        }

        void close(int fd) {
            try {
                int _ = (int) closeFd.invokeExact(fd);
            } catch (Throwable e) {
                throw failed(e);
            }
        }

        private static IllegalStateException failed(Throwable e) {
            return new IllegalStateException("native call failed", e);
        }
    }
}
