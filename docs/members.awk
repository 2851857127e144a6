# SPDX-License-Identifier: MIT
# For Doxygen, gives every member in mlstm.hpp that has no comment a reference to the C function that it calls. Lines
# stay where they are, so that warnings name the right ones.

# Functions at the margin all have comments; what is in them are no members.
/^inline / { in_function = 1 }
/^}/ { in_function = 0 }

!in_member && !in_function && !commented && /^    [a-z].*\(/ { in_member = 1 }
{
    commented = /\*\/$/
    text = text $0 "\n"
}
in_member && !/^    }|^    [a-z].*[;}]$/ { next }
{
    if (in_member && match(text, /mlstm_[a-z0-9_]+[(,]/))
        sub(/[^ ]/, "/** ::" substr(text, RSTART, RLENGTH - 1) ". */ &", text)
    printf "%s", text
    text = ""
    in_member = 0
}
