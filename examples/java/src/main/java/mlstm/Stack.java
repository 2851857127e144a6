// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;
import static mlstm.LibMlstm.check;
import static mlstm.LibMlstm.slice;
import static mlstm.LibMlstm.sliceOfRows;
import static mlstm.LibMlstm.sliceOrNull;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import mlstm.LibMlstm.Size;

/**
 * The layers, the readout, and every parameter.
 *
 * <p>Any number of threads may use one stack, each with a state and gradients of its own, while nobody
 * changes its parameters. In the shapes T is steps, B batch rows, I the input size and O the outputs; H,
 * P, C and D are the units, the numbers in h, and those of c and h that the top layer gives, as in cell.h
 * and stack.h.
 */
public final class Stack extends Handle {
    /** What the readout reads of the top layer. */
    public enum Readout { C, H, BOTH }

    /** How initial values are drawn. */
    public enum Initializer {
        ZEROS, UNIFORM, GLOROT_UNIFORM, GLOROT_NORMAL, HE_UNIFORM, HE_NORMAL, NORMAL, TRUNCATED_NORMAL,
        CONSTANT, ORTHOGONAL
    }

    /** A stack of the given layers, bottom first; it takes the cells, which are closed then. */
    public Stack(Cell... cells) {
        super(out -> LibMlstm.mlstm_stack_create(pointers(cells), cells.length, out),
            LibMlstm::mlstm_stack_destroy);
        for (Cell cell : cells) {
            cell.release();
        }
    }

    private static Pointer pointers(Cell[] cells) {
        Memory pointers = new Memory((long) Native.POINTER_SIZE * (cells.length + 1));
        for (int i = 0; i < cells.length; i++) {
            pointers.setPointer((long) Native.POINTER_SIZE * i, cells[i].pointer());
        }
        return pointers;
    }

    public void setReadout(int outputs, Readout sources) {
        check(LibMlstm.mlstm_stack_set_readout(pointer(), outputs, sources.ordinal() + 1), this);
    }

    /** What the readout reads; null without one. */
    public Readout readout() {
        int sources = LibMlstm.mlstm_stack_readout(pointer());
        reachabilityFence(this);
        return sources == 0 ? null : Readout.values()[sources - 1];
    }

    public int layerCount() {
        int count = LibMlstm.mlstm_stack_layer_count(pointer());
        reachabilityFence(this);
        return count;
    }

    public int inputSize() {
        int size = LibMlstm.mlstm_stack_input_size(pointer());
        reachabilityFence(this);
        return size;
    }

    public int outputSize() {
        int size = LibMlstm.mlstm_stack_output_size(pointer());
        reachabilityFence(this);
        return size;
    }

    /** The options of the cell of a layer. */
    public Options options(int layer) {
        Options options = new Options(LibMlstm.mlstm_stack_cell(pointer(), layer));
        reachabilityFence(this);
        return options;
    }

    /** The sizes of a layer, all 0 for one that is not there. */
    public Sizes sizes(int layer) {
        Sizes sizes = new Sizes(LibMlstm.mlstm_stack_cell(pointer(), layer));
        reachabilityFence(this);
        return sizes;
    }

    /** Gives every kernel and projection new values, gains and highway biases 1, everything else 0. */
    public void init(Initializer initializer, long seed) {
        check(LibMlstm.mlstm_stack_init(pointer(), initializer.ordinal(), seed), this);
    }

    /**
     * Gives one parameter new values; a and b are what the initializer takes: the bounds of UNIFORM,
     * mean and deviation of NORMAL and TRUNCATED_NORMAL, the value of CONSTANT, the gain of ORTHOGONAL.
     */
    public void initParam(String name, Initializer initializer, float a, float b, long seed) {
        check(LibMlstm.mlstm_stack_init_param(pointer(), name, initializer.ordinal(), a, b, seed), this);
    }

    /** Every parameter, from the bottom layer to the readout. */
    public List<Param> params() {
        int count = LibMlstm.mlstm_stack_param_count(pointer());
        List<Param> params = IntStream.range(0, count).mapToObj(this::param).toList();
        reachabilityFence(this);
        return params;
    }

    private Param param(int index) {
        PointerByReference name = new PointerByReference();
        IntByReference rank = new IntByReference();
        int[] shape = new int[2];
        check(LibMlstm.mlstm_stack_param_info(pointer(), index, name, rank, shape));
        return new Param(name.getValue().getString(0),
            Arrays.stream(shape, 0, rank.getValue()).boxed().toList());
    }

    public void getParam(String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_stack_get_param(pointer(), name, slice, new Size(slice.limit())), this);
    }

    public void setParam(String name, FloatBuffer values) {
        FloatBuffer slice = slice("values", values);
        check(LibMlstm.mlstm_stack_set_param(pointer(), name, slice, new Size(slice.limit())), this);
    }

    /** Moves a state on by one step: x is [B,I], y [B,O], or null. */
    public void stepForward(State state, FloatBuffer x, FloatBuffer y) {
        FloatBuffer xSlice = slice("x", x, (long) state.batch() * inputSize());
        FloatBuffer ySlice = sliceOrNull("y", y, (long) state.batch() * outputSize());
        check(LibMlstm.mlstm_step_forward(pointer(), state.pointer(), xSlice, ySlice), this, state);
    }

    /** Moves a state on by the steps that x [T,B,I] has; y is [T,B,O], or null. */
    public void forward(State state, FloatBuffer x, FloatBuffer y) {
        int batch = state.batch();
        int steps = x.remaining() / (batch * inputSize());
        FloatBuffer xSlice = slice("x", x, (long) steps * batch * inputSize());
        FloatBuffer ySlice = sliceOrNull("y", y, (long) steps * batch * outputSize());
        check(LibMlstm.mlstm_forward(pointer(), state.pointer(), xSlice, steps, ySlice), this, state);
    }

    /** Walks the recorded steps back and adds to grads; dy [T,B,O] is the gradient of y. */
    public void backward(State state, FloatBuffer dy, Grads grads) {
        backward(state, Objects.requireNonNull(dy), null, null, null, grads);
    }

    /**
     * The same with dhTop [T,B,D] and dcTop [T,B,C], the gradients of h and c of the top layer beside what
     * comes through y, and dx [T,B,I], which becomes the gradient of x. All but the state may be null.
     */
    public void backward(State state, FloatBuffer dy, FloatBuffer dhTop, FloatBuffer dcTop,
            FloatBuffer dx, Grads grads) {
        long rows = (long) state.steps() * state.batch();
        check(LibMlstm.mlstm_backward(pointer(), state.pointer(),
            sliceOfRows("dy", dy, rows, outputSize()),
            sliceOfRows("dhTop", dhTop, rows, state.top.h()),
            sliceOfRows("dcTop", dcTop, rows, state.top.c()),
            sliceOfRows("dx", dx, rows, inputSize()),
            grads == null ? null : grads.pointer()), this, state, grads);
    }
}
