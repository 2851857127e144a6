// SPDX-License-Identifier: MIT
module mlstm

go 1.19
