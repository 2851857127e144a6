// SPDX-License-Identifier: MIT
package mlstm;

import mlstm.Options.Merge;

/** How many numbers a row has in c and in h. */
record Widths(int c, int h) {
    /** Of the state of a layer, both directions together. */
    static Widths ofState(Stack stack, int layer) {
        Sizes sizes = stack.sizes(layer);
        int directions = stack.options(layer).bidirectional == Merge.NONE ? 1 : 2;
        return new Widths(directions * sizes.hidden(), directions * sizes.recurrent());
    }

    /** Of what the top layer gives. */
    static Widths ofTop(Stack stack) {
        Sizes sizes = stack.sizes(stack.layerCount() - 1);
        return new Widths(sizes.outputC(), sizes.output());
    }
}
