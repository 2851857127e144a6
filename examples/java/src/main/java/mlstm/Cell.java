// SPDX-License-Identifier: MIT
package mlstm;

/** The description of one layer. */
public final class Cell extends Handle {
    public Cell(int inputSize, int hiddenSize) {
        super(out -> LibMlstm.mlstm_cell_create(inputSize, hiddenSize, out), LibMlstm::mlstm_cell_destroy);
    }

    public void setForgetBias(float forgetBias) {
        LibMlstm.check(LibMlstm.mlstm_cell_set_forget_bias(pointer(), forgetBias), this);
    }
}
