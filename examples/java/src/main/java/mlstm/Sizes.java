// SPDX-License-Identifier: MIT
package mlstm;

import com.sun.jna.Pointer;

/** The sizes of a cell: what it reads, its units, the numbers in h, what it gives, c beside it. */
public record Sizes(int input, int hidden, int recurrent, int output, int outputC) {
    Sizes(Pointer cell) {
        this(LibMlstm.mlstm_cell_input_size(cell), LibMlstm.mlstm_cell_hidden_size(cell),
            LibMlstm.mlstm_cell_recurrent_size(cell), LibMlstm.mlstm_cell_output_size(cell),
            LibMlstm.mlstm_cell_output_c_size(cell));
    }
}
