// SPDX-License-Identifier: MIT
package mlstm;

/** What the library refused; the message is its sentence. */
public final class MlstmException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The library's statuses, in the order of their values. */
    public enum Status {
        OK, INVALID_ARGUMENT, OUT_OF_MEMORY, TOO_LARGE, MISMATCH, OWNED, ORDER, NOT_FOUND, NOT_FINITE, SYSTEM
    }

    private final Status status;

    MlstmException(Status status, String sentence) {
        super(sentence);
        this.status = status;
    }

    public Status status() {
        return status;
    }
}
