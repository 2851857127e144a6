// SPDX-License-Identifier: MIT

/**
 * libmlstm for Node.
 *
 * Every handle of the library is a class with a method close(); what is not closed is freed when it
 * is garbage collected. Arrays are Float32Array and Int32Array, which the library reads and writes in
 * place. In the shapes T is steps, B batch rows, I the input size and O the outputs.
 */

import koffi from 'koffi';

const library = koffi.load(process.env.MLSTM_LIBRARY ?? 'libmlstm.so.0');

for (const handle of ['cell', 'stack', 'state', 'grads', 'optimizer'])
    koffi.opaque(`mlstm_${handle}`);

/** The C functions, by their names without mlstm_. */
const c = {};
for (const prototype of [
    'const char *mlstm_last_error()',
    'const char *mlstm_status_name(int32_t status)',
    'const char *mlstm_version()',
    'int32_t mlstm_cell_create(int32_t input_size, int32_t hidden_size, _Out_ mlstm_cell **cell)',
    'void mlstm_cell_destroy(mlstm_cell *cell)',
    'int32_t mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias)',
    'int32_t mlstm_stack_create(mlstm_cell **cells, int32_t count, _Out_ mlstm_stack **stack)',
    'void mlstm_stack_destroy(mlstm_stack *stack)',
    'int32_t mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs, int32_t sources)',
    'int32_t mlstm_stack_input_size(mlstm_stack *stack)',
    'int32_t mlstm_stack_output_size(mlstm_stack *stack)',
    'int32_t mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed)',
    'int32_t mlstm_stack_init_param(mlstm_stack *stack, const char *name, int32_t initializer, float a, float b, uint64_t seed)',
    'int32_t mlstm_stack_get_param(mlstm_stack *stack, const char *name, void *values, size_t count)',
    'int32_t mlstm_stack_set_param(mlstm_stack *stack, const char *name, void *values, size_t count)',
    'int32_t mlstm_state_create(mlstm_stack *stack, int32_t batch, int32_t window, _Out_ mlstm_state **state)',
    'void mlstm_state_destroy(mlstm_state *state)',
    'int32_t mlstm_state_set_threads(mlstm_state *state, int32_t threads)',
    'int32_t mlstm_state_zero(mlstm_state *state)',
    'int32_t mlstm_state_begin_window(mlstm_state *state)',
    'size_t mlstm_state_size(mlstm_state *state)',
    'int32_t mlstm_state_batch(mlstm_state *state)',
    'int32_t mlstm_state_steps(mlstm_state *state)',
    'int32_t mlstm_state_get(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_state_set(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_forward(mlstm_stack *stack, mlstm_state *state, void *x, int32_t steps, void *y)',
    'int32_t mlstm_backward(mlstm_stack *stack, mlstm_state *state, void *dy, void *dh_top, void *dc_top, void *dx, mlstm_grads *grads)',
    'int32_t mlstm_grads_create(mlstm_stack *stack, _Out_ mlstm_grads **grads)',
    'void mlstm_grads_destroy(mlstm_grads *grads)',
    'int32_t mlstm_grads_zero(mlstm_grads *grads)',
    'int32_t mlstm_grads_add(mlstm_grads *grads, mlstm_grads *other)',
    'int32_t mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, void *norm)',
    'int32_t mlstm_grads_get(mlstm_grads *grads, const char *name, void *values, size_t count)',
    'int32_t mlstm_sgd_create(mlstm_stack *stack, float rate, float momentum, int32_t nesterov, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_adagrad_create(mlstm_stack *stack, float rate, float initial_accumulator, _Out_ mlstm_optimizer **optimizer)',
    'void mlstm_optimizer_destroy(mlstm_optimizer *optimizer)',
    'int32_t mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate)',
    'int32_t mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack, mlstm_grads *grads)',
    'int32_t mlstm_softmax_cross_entropy(void *logits, void *labels, size_t rows, int32_t classes, void *probabilities, void *dlogits, void *loss)',
])
    c[prototype.match(/mlstm_(\w+)\(/)[1]] = library.func(prototype);

/** What the library refused: its sentence, and as `code` its status, such as MLSTM_ERROR_MISMATCH. */
export class MlstmError extends Error {
    constructor(status) {
        super(c.last_error());
        this.name = 'MlstmError';
        this.code = c.status_name(status);
    }
}

function check(status) {
    if (status !== 0)
        throw new MlstmError(status);
}

/** Neither C nor koffi would notice a fraction. */
function int32(number) {
    if (number !== (number | 0))
        throw new RangeError(`expected a whole number of 32 bits, got ${number}`);
    return number;
}

/** C takes arrays without type and, where `length` is given here, without their length. */
function array(name, type, values, length = values?.length) {
    if (!(values instanceof type))
        throw new TypeError(`${name} must be a ${type.name}`);
    if (values.length !== length)
        throw new RangeError(`${name} must have ${length} numbers, got ${values.length}`);
    return values;
}

const floats = (name, values, length) => array(name, Float32Array, values, length);
const floatsOrNull = (name, values, length) => values && floats(name, values, length);

/** Owns a pointer of the library's, or borrows another thread's. */
class Handle {
    #pointer = null;
    #destroy = null;

    static #lost = new FinalizationRegistry(({ pointer, destroy }) => destroy(pointer));

    /** @param source a function that makes the handle, or the address of one that is made */
    constructor(source, destroy) {
        if (typeof source === 'bigint') {
            this.#pointer = source;
            return;
        }
        const out = [null];
        check(source(out));
        this.#pointer = out[0];
        this.#destroy = destroy;
        Handle.#lost.register(this, { pointer: this.#pointer, destroy }, this);
    }

    /** The pointer of a handle, which must be of this class: to C all pointers are alike. */
    static pointer(handle) {
        if (!(handle instanceof this))
            throw new TypeError(`expected a ${this.name}`);
        if (handle.#pointer === null)
            throw new TypeError(`this ${this.name} is closed`);
        return handle.#pointer;
    }

    /** Forgets the pointers without freeing them. */
    static release(handles) {
        for (const handle of handles) {
            handle.#pointer = null;
            Handle.#lost.unregister(handle);
        }
    }

    /** Frees the handle, once; all other use of it is an error from now on. */
    close() {
        if (this.#pointer !== null)
            this.#destroy?.(this.#pointer);
        Handle.release([this]);
    }

    [Symbol.dispose]() {
        this.close();
    }
}

/** The description of one layer. */
export class Cell extends Handle {
    constructor(inputSize, hiddenSize) {
        super((out) => c.cell_create(int32(inputSize), int32(hiddenSize), out), c.cell_destroy);
    }

    setForgetBias(forgetBias) {
        check(c.cell_set_forget_bias(Cell.pointer(this), forgetBias));
    }
}

/** What the readout reads of the top layer; values may be combined with |. */
export const Readout = Object.freeze({ C: 1, H: 2 });

/** How initial values are drawn. */
export const Initializer = Object.freeze({ ZEROS: 0, UNIFORM: 1, GLOROT_UNIFORM: 2 });

/** The layers, the readout, and every parameter. */
export class Stack extends Handle {
    /**
     * Worker threads may share a stack, each with a state and gradients of its own, while nobody
     * changes its parameters: one creates it and posts its `address`, the others make a Stack of that,
     * and use it no longer than the first one lives.
     *
     * @param {Cell[] | bigint} cells the layers, bottom first, which the stack takes and closes; or
     *                                the address of another thread's stack
     */
    constructor(cells) {
        if (typeof cells === 'bigint') {
            super(cells);
            return;
        }
        const pointers = cells.map((cell) => Cell.pointer(cell));
        super((out) => c.stack_create(pointers, pointers.length, out), c.stack_destroy);
        Handle.release(cells);
    }

    get address() {
        return Stack.pointer(this);
    }

    setReadout(outputs, sources) {
        check(c.stack_set_readout(Stack.pointer(this), int32(outputs), int32(sources)));
    }

    get inputSize() {
        return c.stack_input_size(Stack.pointer(this));
    }

    get outputSize() {
        return c.stack_output_size(Stack.pointer(this));
    }

    /** Gives every kernel new values and sets every bias to 0. */
    init(initializer, seed) {
        check(c.stack_init(Stack.pointer(this), int32(initializer), seed));
    }

    /** Gives one parameter new values; a and b are the bounds of UNIFORM. */
    initParam(name, initializer, a, b, seed) {
        check(c.stack_init_param(Stack.pointer(this), name, int32(initializer), a, b, seed));
    }

    getParam(name, values) {
        check(c.stack_get_param(Stack.pointer(this), name, floats('values', values), values.length));
    }

    setParam(name, values) {
        check(c.stack_set_param(Stack.pointer(this), name, floats('values', values), values.length));
    }

    /** Moves a state on by the steps that x [T,B,I] has; y is [T,B,O], or null. */
    forward(state, x, y = null) {
        const [stack, { batch }] = [Stack.pointer(this), state];
        const steps = Math.floor(floats('x', x).length / (batch * this.inputSize));
        floats('x', x, steps * batch * this.inputSize);
        floatsOrNull('y', y, steps * batch * this.outputSize);
        check(c.forward(stack, State.pointer(state), x, steps, y));
    }

    /** Walks the recorded steps back and adds to grads; dy [T,B,O] is the gradient of y. */
    backward(state, dy, grads) {
        const { steps, batch } = state;
        floats('dy', dy, steps > 0 ? steps * batch * this.outputSize : undefined);
        check(c.backward(Stack.pointer(this), State.pointer(state), dy, null, null, null,
            Grads.pointer(grads)));
    }
}

/** c and h of every layer, and the recorded window. */
export class State extends Handle {
    /** A state of 0 for `batch` rows that records up to `window` steps; 0 is for inference. */
    constructor(stack, batch, window) {
        super((out) => c.state_create(Stack.pointer(stack), int32(batch), int32(window), out),
            c.state_destroy);
    }

    setThreads(threads) {
        check(c.state_set_threads(State.pointer(this), int32(threads)));
    }

    /** Sets c and h to 0 and begins a window. */
    zero() {
        check(c.state_zero(State.pointer(this)));
    }

    /** Keeps c and h, forgets the recorded steps. */
    beginWindow() {
        check(c.state_begin_window(State.pointer(this)));
    }

    /** How many numbers the state tensor [L,2,B,H] has. */
    get size() {
        return c.state_size(State.pointer(this));
    }

    get batch() {
        return c.state_batch(State.pointer(this));
    }

    /** Steps recorded since the window began. */
    get steps() {
        return c.state_steps(State.pointer(this));
    }

    get(values) {
        check(c.state_get(State.pointer(this), floats('values', values), values.length));
    }

    set(values) {
        check(c.state_set(State.pointer(this), floats('values', values), values.length));
    }
}

/** One gradient for each parameter. */
export class Grads extends Handle {
    constructor(stack) {
        super((out) => c.grads_create(Stack.pointer(stack), out), c.grads_destroy);
    }

    zero() {
        check(c.grads_zero(Grads.pointer(this)));
    }

    add(other) {
        check(c.grads_add(Grads.pointer(this), Grads.pointer(other)));
    }

    /** Clips by the global norm and returns what that was before. */
    clipNorm(maxNorm) {
        const norm = new Float32Array(1);
        check(c.grads_clip_norm(Grads.pointer(this), maxNorm, norm));
        return norm[0];
    }

    get(name, values) {
        check(c.grads_get(Grads.pointer(this), name, floats('values', values), values.length));
    }
}

/** An update rule and its slots. */
export class Optimizer extends Handle {
    constructor(source) {
        super(source, c.optimizer_destroy);
    }

    static sgd(stack, rate, { momentum = 0, nesterov = false } = {}) {
        return new Optimizer((out) =>
            c.sgd_create(Stack.pointer(stack), rate, momentum, nesterov ? 1 : 0, out));
    }

    static adagrad(stack, rate, { initialAccumulator = 0.1 } = {}) {
        return new Optimizer((out) =>
            c.adagrad_create(Stack.pointer(stack), rate, initialAccumulator, out));
    }

    setRate(rate) {
        check(c.optimizer_set_rate(Optimizer.pointer(this), rate));
    }

    /** Updates every parameter of the stack by its gradient. */
    apply(stack, grads) {
        check(c.apply_grads(Optimizer.pointer(this), Stack.pointer(stack), Grads.pointer(grads)));
    }
}

/**
 * The loss averaged over the rows of logits [rows, classes], with a label for each, an Int32Array;
 * fills probabilities and dlogits, its gradient, where they are given.
 */
export function softmaxCrossEntropy(logits, labels, { probabilities = null, dlogits = null } = {}) {
    const rows = array('labels', Int32Array, labels).length;
    const classes = Math.floor(floats('logits', logits).length / Math.max(rows, 1));
    floats('logits', logits, rows * classes);
    floatsOrNull('probabilities', probabilities, logits.length);
    floatsOrNull('dlogits', dlogits, logits.length);
    const loss = new Float32Array(1);
    check(c.softmax_cross_entropy(logits, labels, rows, classes, probabilities, dlogits, loss));
    return loss[0];
}

/** The version of the library that is loaded. */
export const version = c.version();
