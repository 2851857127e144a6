// SPDX-License-Identifier: MIT
package mlstm;

/** The library. */
public final class Mlstm {
    private Mlstm() {}

    /** The version of the library that is loaded. */
    public static String version() {
        return LibMlstm.mlstm_version();
    }

    /** The instruction set whose kernels run. */
    public static String isa() {
        return LibMlstm.mlstm_isa();
    }
}
