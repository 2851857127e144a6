// SPDX-License-Identifier: MIT
package mlstm;

/** The library. */
public final class Mlstm {
    private Mlstm() {}

    /** The version of the library that is loaded. */
    public static String version() {
        return LibMlstm.mlstm_version();
    }

    /** The same as a number to compare: 10203 for 1.2.3. */
    public static int versionNumber() {
        return LibMlstm.mlstm_version_number();
    }

    /** The instruction set whose kernels run. */
    public static String isa() {
        return LibMlstm.mlstm_isa();
    }
}
