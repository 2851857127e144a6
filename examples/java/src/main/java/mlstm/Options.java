// SPDX-License-Identifier: MIT
package mlstm;

import static mlstm.LibMlstm.check;

import com.sun.jna.Pointer;
import com.sun.jna.ptr.FloatByReference;
import com.sun.jna.ptr.IntByReference;

/**
 * The options of a cell; cell.h says what each of them is. Those of a new cell are a start:
 *
 * <pre>
 *     Options options = cell.options();
 *     options.peepholes = true;
 *     cell.setOptions(options);
 * </pre>
 */
public final class Options {
    /** Where layer normalisation is. */
    public enum Norm { NONE, GATES, PRODUCTS }

    /** For how long a mask of dropout holds. */
    public enum Mask { STEP, SEQUENCE }

    /** What recurrent dropout drops. */
    public enum Drop { HIDDEN, CANDIDATE }

    /** How what a layer reads goes past it. */
    public enum Skip { NONE, RESIDUAL, HIGHWAY }

    /** What becomes of the two directions of a layer; with NONE there is only one. */
    public enum Merge { NONE, CONCAT, SUM }

    public float forgetBias;
    public int biases;
    public boolean peepholes;
    /** 0 for none, as in all that follow. */
    public int projection;
    public float projectionClip;
    public float cellClip;
    public boolean coupled;
    public Norm norm;
    public float normEpsilon;
    public float zoneoutC;
    public float zoneoutH;
    public float dropout;
    public Mask dropoutMask;
    public float recurrentDropout;
    public Drop recurrentDropoutWhat;
    public Mask recurrentDropoutMask;
    public Skip skip;
    public Merge bidirectional;
    public boolean learnedState;

    /** Those of a cell that is there. */
    Options(Pointer cell) {
        FloatByReference first = new FloatByReference();
        FloatByReference second = new FloatByReference();
        IntByReference what = new IntByReference();
        IntByReference mask = new IntByReference();
        forgetBias = LibMlstm.mlstm_cell_forget_bias(cell);
        biases = LibMlstm.mlstm_cell_biases(cell);
        peepholes = LibMlstm.mlstm_cell_peepholes(cell) != 0;
        projection = LibMlstm.mlstm_cell_projection(cell);
        projectionClip = LibMlstm.mlstm_cell_projection_clip(cell);
        cellClip = LibMlstm.mlstm_cell_cell_clip(cell);
        coupled = LibMlstm.mlstm_cell_coupled(cell) != 0;
        norm = Norm.values()[LibMlstm.mlstm_cell_norm(cell, first)];
        normEpsilon = first.getValue();
        check(LibMlstm.mlstm_cell_zoneout(cell, first, second));
        zoneoutC = first.getValue();
        zoneoutH = second.getValue();
        dropout = LibMlstm.mlstm_cell_dropout(cell, mask);
        dropoutMask = Mask.values()[mask.getValue()];
        recurrentDropout = LibMlstm.mlstm_cell_recurrent_dropout(cell, what, mask);
        recurrentDropoutWhat = Drop.values()[what.getValue()];
        recurrentDropoutMask = Mask.values()[mask.getValue()];
        skip = Skip.values()[LibMlstm.mlstm_cell_skip(cell)];
        bidirectional = Merge.values()[LibMlstm.mlstm_cell_bidirectional(cell)];
        learnedState = LibMlstm.mlstm_cell_learned_state(cell) != 0;
    }

    void set(Pointer cell) {
        check(LibMlstm.mlstm_cell_set_forget_bias(cell, forgetBias));
        check(LibMlstm.mlstm_cell_set_biases(cell, biases));
        check(LibMlstm.mlstm_cell_set_peepholes(cell, peepholes ? 1 : 0));
        check(LibMlstm.mlstm_cell_set_projection(cell, projection));
        check(LibMlstm.mlstm_cell_set_projection_clip(cell, projectionClip));
        check(LibMlstm.mlstm_cell_set_cell_clip(cell, cellClip));
        check(LibMlstm.mlstm_cell_set_coupled(cell, coupled ? 1 : 0));
        check(LibMlstm.mlstm_cell_set_norm(cell, norm.ordinal(), normEpsilon));
        check(LibMlstm.mlstm_cell_set_zoneout(cell, zoneoutC, zoneoutH));
        check(LibMlstm.mlstm_cell_set_dropout(cell, dropout, dropoutMask.ordinal()));
        check(LibMlstm.mlstm_cell_set_recurrent_dropout(cell, recurrentDropout,
            recurrentDropoutWhat.ordinal(), recurrentDropoutMask.ordinal()));
        check(LibMlstm.mlstm_cell_set_skip(cell, skip.ordinal()));
        check(LibMlstm.mlstm_cell_set_bidirectional(cell, bidirectional.ordinal()));
        check(LibMlstm.mlstm_cell_set_learned_state(cell, learnedState ? 1 : 0));
    }
}
