// SPDX-License-Identifier: MIT
package mlstm;

import java.util.List;

/** A parameter of a stack; it has one dimension or two. */
public record Param(String name, List<Integer> shape) {}
