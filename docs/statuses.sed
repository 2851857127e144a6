# SPDX-License-Identifier: MIT
# Spells out the list in status.h for Doxygen, which does not follow it into the enum.
/^ *X(/H
/^#define MLSTM_STATUS_ENUMERATOR/d
/^#undef MLSTM_STATUS_ENUMERATOR/d
/^ *MLSTM_STATUS_MAP(MLSTM_STATUS_ENUMERATOR)/{
    g
    s/ *X(\([A-Z_]*\), \([0-9]*\), "\([^"]*\)")[ \\]*/\1 = \2, \/**< \3 *\//g
}
