// SPDX-License-Identifier: MIT
package mlstm;

/** The library. */
public final class Mlstm {
    private Mlstm() {}

    /** The version of the library that is loaded. */
    public static String version() {
        return LibMlstm.mlstm_version();
    }
}
