// SPDX-License-Identifier: MIT
package mlstm;

import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.lang.ref.Cleaner;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;

/**
 * Owns a pointer of the library's: close() frees it, once, and the garbage collector what was not
 * closed. A closed handle refuses all other use.
 *
 * <p>Different handles may be used from different threads, one handle by one thread at a time; see
 * {@link Stack} for the exception.
 */
public abstract class Handle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    /** What the cleaner holds, apart from the handle so that the handle can be collected. */
    private static final class Owned implements Runnable {
        private final Consumer<Pointer> destroy;
        private Pointer pointer;

        Owned(Pointer pointer, Consumer<Pointer> destroy) {
            this.pointer = pointer;
            this.destroy = destroy;
        }

        @Override
        public void run() {
            if (pointer != null) {
                destroy.accept(pointer);
            }
            pointer = null;
        }
    }

    private final Owned owned;
    private final Cleaner.Cleanable cleanable;

    Handle(ToIntFunction<PointerByReference> create, Consumer<Pointer> destroy) {
        PointerByReference out = new PointerByReference();
        LibMlstm.check(create.applyAsInt(out), create);
        owned = new Owned(out.getValue(), destroy);
        cleanable = CLEANER.register(this, owned);
    }

    /** The pointer, for one call; which passes the handle to {@link LibMlstm#check} to keep it. */
    final Pointer pointer() {
        if (owned.pointer == null) {
            throw new IllegalStateException("this " + getClass().getSimpleName() + " is closed");
        }
        return owned.pointer;
    }

    /** Forgets the pointer without freeing it. */
    final void release() {
        owned.pointer = null;
        close();
    }

    @Override
    public final void close() {
        cleanable.clean();
    }
}
