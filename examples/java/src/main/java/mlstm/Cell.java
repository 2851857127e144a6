// SPDX-License-Identifier: MIT
package mlstm;

import static java.lang.ref.Reference.reachabilityFence;

/** The description of one layer. */
public final class Cell extends Handle {
    public Cell(int inputSize, int hiddenSize) {
        super(out -> LibMlstm.mlstm_cell_create(inputSize, hiddenSize, out), LibMlstm::mlstm_cell_destroy);
    }

    public void setForgetBias(float forgetBias) {
        LibMlstm.check(LibMlstm.mlstm_cell_set_forget_bias(pointer(), forgetBias), this);
    }

    public void setOptions(Options options) {
        options.set(pointer());
        reachabilityFence(this);
    }

    public Options options() {
        Options options = new Options(pointer());
        reachabilityFence(this);
        return options;
    }

    public Sizes sizes() {
        Sizes sizes = new Sizes(pointer());
        reachabilityFence(this);
        return sizes;
    }
}
