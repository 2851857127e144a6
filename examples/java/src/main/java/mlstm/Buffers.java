// SPDX-License-Identifier: MIT
package mlstm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** Arrays that the library reads and writes in place, from their position to their limit. */
public final class Buffers {
    private Buffers() {}

    public static FloatBuffer floats(int length) {
        return bytes(length).asFloatBuffer();
    }

    public static FloatBuffer floats(float... values) {
        return floats(values.length).put(values).rewind();
    }

    public static IntBuffer ints(int length) {
        return bytes(length).asIntBuffer();
    }

    private static ByteBuffer bytes(int length) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(length, 4)).order(ByteOrder.nativeOrder());
    }
}
