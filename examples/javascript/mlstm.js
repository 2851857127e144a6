// SPDX-License-Identifier: MIT

/**
 * libmlstm for Node.
 *
 * Every handle of the library is a class with a method close(); what is not closed is freed when it
 * is garbage collected. Arrays are Float32Array and Int32Array, which the library reads and writes in
 * place. In the shapes T is steps, B batch rows, I the input size and O the outputs; H, P, C and D are
 * the units, the numbers in h, and those of c and h that the top layer gives, as in cell.h and stack.h.
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
    'int32_t mlstm_version_number()',
    'const char *mlstm_isa()',
    'int32_t mlstm_cell_create(int32_t input_size, int32_t hidden_size, _Out_ mlstm_cell **cell)',
    'void mlstm_cell_destroy(mlstm_cell *cell)',
    'int32_t mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias)',
    'int32_t mlstm_cell_set_biases(mlstm_cell *cell, int32_t biases)',
    'int32_t mlstm_cell_set_peepholes(mlstm_cell *cell, int32_t peepholes)',
    'int32_t mlstm_cell_set_projection(mlstm_cell *cell, int32_t projection)',
    'int32_t mlstm_cell_set_projection_clip(mlstm_cell *cell, float clip)',
    'int32_t mlstm_cell_set_cell_clip(mlstm_cell *cell, float clip)',
    'int32_t mlstm_cell_set_coupled(mlstm_cell *cell, int32_t coupled)',
    'int32_t mlstm_cell_set_norm(mlstm_cell *cell, int32_t norm, float epsilon)',
    'int32_t mlstm_cell_set_zoneout(mlstm_cell *cell, float c_rate, float h_rate)',
    'int32_t mlstm_cell_set_dropout(mlstm_cell *cell, float rate, int32_t mask)',
    'int32_t mlstm_cell_set_recurrent_dropout(mlstm_cell *cell, float rate, int32_t what, int32_t mask)',
    'int32_t mlstm_cell_set_skip(mlstm_cell *cell, int32_t skip)',
    'int32_t mlstm_cell_set_bidirectional(mlstm_cell *cell, int32_t merge)',
    'int32_t mlstm_cell_set_learned_state(mlstm_cell *cell, int32_t learned)',
    'int32_t mlstm_cell_input_size(mlstm_cell *cell)',
    'int32_t mlstm_cell_hidden_size(mlstm_cell *cell)',
    'int32_t mlstm_cell_recurrent_size(mlstm_cell *cell)',
    'int32_t mlstm_cell_output_size(mlstm_cell *cell)',
    'int32_t mlstm_cell_output_c_size(mlstm_cell *cell)',
    'float mlstm_cell_forget_bias(mlstm_cell *cell)',
    'int32_t mlstm_cell_biases(mlstm_cell *cell)',
    'int32_t mlstm_cell_peepholes(mlstm_cell *cell)',
    'int32_t mlstm_cell_projection(mlstm_cell *cell)',
    'float mlstm_cell_projection_clip(mlstm_cell *cell)',
    'float mlstm_cell_cell_clip(mlstm_cell *cell)',
    'int32_t mlstm_cell_coupled(mlstm_cell *cell)',
    'int32_t mlstm_cell_norm(mlstm_cell *cell, void *epsilon)',
    'int32_t mlstm_cell_zoneout(mlstm_cell *cell, void *c_rate, void *h_rate)',
    'float mlstm_cell_dropout(mlstm_cell *cell, void *mask)',
    'float mlstm_cell_recurrent_dropout(mlstm_cell *cell, void *what, void *mask)',
    'int32_t mlstm_cell_skip(mlstm_cell *cell)',
    'int32_t mlstm_cell_bidirectional(mlstm_cell *cell)',
    'int32_t mlstm_cell_learned_state(mlstm_cell *cell)',
    'int32_t mlstm_stack_create(mlstm_cell **cells, int32_t count, _Out_ mlstm_stack **stack)',
    'void mlstm_stack_destroy(mlstm_stack *stack)',
    'int32_t mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs, int32_t sources)',
    'int32_t mlstm_stack_readout(mlstm_stack *stack)',
    'int32_t mlstm_stack_layer_count(mlstm_stack *stack)',
    'mlstm_cell *mlstm_stack_cell(mlstm_stack *stack, int32_t layer)',
    'int32_t mlstm_stack_input_size(mlstm_stack *stack)',
    'int32_t mlstm_stack_output_size(mlstm_stack *stack)',
    'int32_t mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed)',
    'int32_t mlstm_stack_init_param(mlstm_stack *stack, const char *name, int32_t initializer, float a, float b, uint64_t seed)',
    'int32_t mlstm_stack_param_count(mlstm_stack *stack)',
    'int32_t mlstm_stack_param_info(mlstm_stack *stack, int32_t index, _Out_ const char **name, _Out_ int32_t *rank, void *shape)',
    'int32_t mlstm_stack_get_param(mlstm_stack *stack, const char *name, void *values, size_t count)',
    'int32_t mlstm_stack_set_param(mlstm_stack *stack, const char *name, void *values, size_t count)',
    'int32_t mlstm_state_create(mlstm_stack *stack, int32_t batch, int32_t window, _Out_ mlstm_state **state)',
    'void mlstm_state_destroy(mlstm_state *state)',
    'int32_t mlstm_state_set_threads(mlstm_state *state, int32_t threads)',
    'int32_t mlstm_state_threads(mlstm_state *state)',
    'int32_t mlstm_state_zero(mlstm_state *state)',
    'int32_t mlstm_state_begin_sequence(mlstm_stack *stack, mlstm_state *state)',
    'int32_t mlstm_state_begin_window(mlstm_state *state)',
    'int32_t mlstm_state_keep_steps(mlstm_state *state, int32_t steps)',
    'int32_t mlstm_state_set_lengths(mlstm_state *state, void *lengths, size_t count)',
    'int32_t mlstm_state_set_training(mlstm_state *state, int32_t training, uint64_t seed)',
    'int32_t mlstm_state_training(mlstm_state *state)',
    'size_t mlstm_state_size(mlstm_state *state)',
    'int32_t mlstm_state_batch(mlstm_state *state)',
    'int32_t mlstm_state_window(mlstm_state *state)',
    'int32_t mlstm_state_steps(mlstm_state *state)',
    'size_t mlstm_state_bytes(mlstm_state *state)',
    'int32_t mlstm_state_get(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_state_set(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_state_get_layer(mlstm_state *state, int32_t layer, void *c, void *h)',
    'int32_t mlstm_state_set_layer(mlstm_state *state, int32_t layer, void *c, void *h)',
    'int32_t mlstm_state_get_top(mlstm_state *state, void *c, void *h)',
    'int32_t mlstm_state_set_final_grad(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_state_get_initial_grad(mlstm_state *state, void *values, size_t count)',
    'int32_t mlstm_step_forward(mlstm_stack *stack, mlstm_state *state, void *x, void *y)',
    'int32_t mlstm_forward(mlstm_stack *stack, mlstm_state *state, void *x, int32_t steps, void *y)',
    'int32_t mlstm_backward(mlstm_stack *stack, mlstm_state *state, void *dy, void *dh_top, void *dc_top, void *dx, mlstm_grads *grads)',
    'int32_t mlstm_grads_create(mlstm_stack *stack, _Out_ mlstm_grads **grads)',
    'void mlstm_grads_destroy(mlstm_grads *grads)',
    'int32_t mlstm_grads_zero(mlstm_grads *grads)',
    'int32_t mlstm_grads_scale(mlstm_grads *grads, float factor)',
    'int32_t mlstm_grads_add(mlstm_grads *grads, mlstm_grads *other)',
    'int32_t mlstm_grads_norm(mlstm_grads *grads, void *norm)',
    'int32_t mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, void *norm)',
    'int32_t mlstm_grads_clip_param_norm(mlstm_grads *grads, float max_norm)',
    'int32_t mlstm_grads_clip_value(mlstm_grads *grads, float limit)',
    'int32_t mlstm_grads_check(mlstm_grads *grads, void *name)',
    'int32_t mlstm_grads_get(mlstm_grads *grads, const char *name, void *values, size_t count)',
    'int32_t mlstm_grads_set(mlstm_grads *grads, const char *name, void *values, size_t count)',
    'int32_t mlstm_grads_data(mlstm_grads *grads, _Out_ void **data, _Out_ size_t *count)',
    'int32_t mlstm_sgd_create(mlstm_stack *stack, float rate, float momentum, int32_t nesterov, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_adagrad_create(mlstm_stack *stack, float rate, float initial_accumulator, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_rmsprop_create(mlstm_stack *stack, float rate, float decay, float momentum, float epsilon, int32_t centered, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_adam_create(mlstm_stack *stack, float rate, float beta1, float beta2, float epsilon, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_adamw_create(mlstm_stack *stack, float rate, float beta1, float beta2, float epsilon, float weight_decay, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_amsgrad_create(mlstm_stack *stack, float rate, float beta1, float beta2, float epsilon, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_nadam_create(mlstm_stack *stack, float rate, float beta1, float beta2, float epsilon, float momentum_decay, _Out_ mlstm_optimizer **optimizer)',
    'int32_t mlstm_lion_create(mlstm_stack *stack, float rate, float beta1, float beta2, float weight_decay, _Out_ mlstm_optimizer **optimizer)',
    'void mlstm_optimizer_destroy(mlstm_optimizer *optimizer)',
    'int32_t mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate)',
    'float mlstm_optimizer_rate(mlstm_optimizer *optimizer)',
    'int64_t mlstm_optimizer_step_count(mlstm_optimizer *optimizer)',
    'int32_t mlstm_optimizer_set_step_count(mlstm_optimizer *optimizer, int64_t count)',
    'int32_t mlstm_optimizer_slot_count(mlstm_optimizer *optimizer)',
    'const char *mlstm_optimizer_slot_name(mlstm_optimizer *optimizer, int32_t index)',
    'int32_t mlstm_optimizer_get_slot(mlstm_optimizer *optimizer, const char *slot, const char *param, void *values, size_t count)',
    'int32_t mlstm_optimizer_set_slot(mlstm_optimizer *optimizer, const char *slot, const char *param, void *values, size_t count)',
    'int32_t mlstm_optimizer_set_weight_decay(mlstm_optimizer *optimizer, const char *param, float decay)',
    'float mlstm_optimizer_weight_decay(mlstm_optimizer *optimizer, const char *param)',
    'int32_t mlstm_optimizer_set_frozen(mlstm_optimizer *optimizer, const char *param, int32_t frozen)',
    'int32_t mlstm_optimizer_frozen(mlstm_optimizer *optimizer, const char *param)',
    'int32_t mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack, mlstm_grads *grads)',
    'int32_t mlstm_state_apply_grads(mlstm_state *state, mlstm_optimizer *optimizer, mlstm_stack *stack, mlstm_grads *grads)',
    'int32_t mlstm_softmax(void *logits, size_t rows, int32_t classes, void *probabilities)',
    'int32_t mlstm_softmax_cross_entropy(void *logits, void *labels, size_t rows, int32_t classes, void *probabilities, void *dlogits, void *loss)',
    'int32_t mlstm_softmax_cross_entropy_weighted(void *logits, void *labels, void *weights, size_t rows, int32_t classes, int32_t ignored, float smoothing, void *probabilities, void *dlogits, void *loss)',
    'int32_t mlstm_sigmoid_cross_entropy(void *logits, void *targets, size_t count, void *dlogits, void *loss)',
    'int32_t mlstm_absolute_error(void *outputs, void *targets, size_t count, void *doutputs, void *loss)',
    'int32_t mlstm_huber_loss(void *outputs, void *targets, size_t count, float delta, void *doutputs, void *loss)',
    'int32_t mlstm_squared_error(void *outputs, void *targets, size_t count, void *doutputs, void *loss)',
    'int32_t mlstm_weighted_loss(int32_t kind, void *outputs, void *targets, void *weights, size_t rows, int32_t columns, float delta, void *doutputs, void *loss)',
    'float mlstm_schedule_step(float rate, int64_t step, int64_t period, float factor)',
    'float mlstm_schedule_exponential(float rate, int64_t step, int64_t period, float factor)',
    'float mlstm_schedule_cosine(float rate, int64_t step, int64_t steps, float alpha)',
    'float mlstm_schedule_warmup(float rate, int64_t step, int64_t steps, float start)',
    'float mlstm_schedule_loss_scale(float scale, int32_t finite, int64_t period, float growth, float backoff, void *streak)',
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

/** c and h of so many rows. */
function checkPair(rows, widths, cValues, hValues) {
    floatsOrNull('c', cValues, rows * widths.c);
    floatsOrNull('h', hValues, rows * widths.h);
}

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

/** Where layer normalisation is. */
export const Norm = Object.freeze({ NONE: 0, GATES: 1, PRODUCTS: 2 });

/** For how long a mask of dropout holds. */
export const Mask = Object.freeze({ STEP: 0, SEQUENCE: 1 });

/** What recurrent dropout drops. */
export const Drop = Object.freeze({ HIDDEN: 0, CANDIDATE: 1 });

/** How what a layer reads goes past it. */
export const Skip = Object.freeze({ NONE: 0, RESIDUAL: 1, HIGHWAY: 2 });

/** What becomes of the two directions of a layer; with NONE there is only one. */
export const Merge = Object.freeze({ NONE: 0, CONCAT: 1, SUM: 2 });

const flag = (value) => int32(Number(value));

/** How the options of a cell are set, and what they take. */
const optionSetters = {
    forgetBias: [c.cell_set_forget_bias, Number],
    biases: [c.cell_set_biases, int32],
    peepholes: [c.cell_set_peepholes, flag],
    projection: [c.cell_set_projection, int32],
    projectionClip: [c.cell_set_projection_clip, Number],
    cellClip: [c.cell_set_cell_clip, Number],
    coupled: [c.cell_set_coupled, flag],
    norm: [c.cell_set_norm, int32, Number],
    zoneout: [c.cell_set_zoneout, Number, Number],
    dropout: [c.cell_set_dropout, Number, int32],
    recurrentDropout: [c.cell_set_recurrent_dropout, Number, int32, int32],
    skip: [c.cell_set_skip, int32],
    bidirectional: [c.cell_set_bidirectional, int32],
    learnedState: [c.cell_set_learned_state, flag],
};

function optionsOf(cell) {
    const [epsilon, zoneoutC, zoneoutH] = Array.from({ length: 3 }, () => new Float32Array(1));
    const [mask, what, recurrentMask] = Array.from({ length: 3 }, () => new Int32Array(1));
    const norm = c.cell_norm(cell, epsilon);
    check(c.cell_zoneout(cell, zoneoutC, zoneoutH));
    const dropout = c.cell_dropout(cell, mask);
    const recurrentDropout = c.cell_recurrent_dropout(cell, what, recurrentMask);
    return {
        forgetBias: c.cell_forget_bias(cell),
        biases: c.cell_biases(cell),
        peepholes: c.cell_peepholes(cell) !== 0,
        projection: c.cell_projection(cell),
        projectionClip: c.cell_projection_clip(cell),
        cellClip: c.cell_cell_clip(cell),
        coupled: c.cell_coupled(cell) !== 0,
        norm: [norm, epsilon[0]],
        zoneout: [zoneoutC[0], zoneoutH[0]],
        dropout: [dropout, mask[0]],
        recurrentDropout: [recurrentDropout, what[0], recurrentMask[0]],
        skip: c.cell_skip(cell),
        bidirectional: c.cell_bidirectional(cell),
        learnedState: c.cell_learned_state(cell) !== 0,
    };
}

function sizesOf(cell) {
    return {
        input: c.cell_input_size(cell),
        hidden: c.cell_hidden_size(cell),
        recurrent: c.cell_recurrent_size(cell),
        output: c.cell_output_size(cell),
        outputC: c.cell_output_c_size(cell),
    };
}

/**
 * How many numbers a row has in c and h: of the state of each layer, both directions together, and of
 * what the top layer gives.
 */
function widthsOf(stack) {
    const layers = [];
    let top;
    for (let layer = 0; layer < stack.layerCount; layer++) {
        const { hidden, recurrent, output, outputC } = stack.sizes(layer);
        const directions = stack.options(layer).bidirectional === Merge.NONE ? 1 : 2;
        layers.push({ c: directions * hidden, h: directions * recurrent });
        top = { c: outputC, h: output };
    }
    return { layers, top };
}

/** The description of one layer. */
export class Cell extends Handle {
    /**
     * @param {object} options those that are not as in a new cell, such as { peepholes: true, dropout:
     *                         [0.5, Mask.STEP] }; cell.h says what each of them is
     */
    constructor(inputSize, hiddenSize, options = {}) {
        super((out) => c.cell_create(int32(inputSize), int32(hiddenSize), out), c.cell_destroy);
        for (const [name, values] of Object.entries(options)) {
            if (!Object.hasOwn(optionSetters, name))
                throw new TypeError(`a cell has no option ${name}`);
            const [set, ...types] = optionSetters[name];
            const numbers = [values].flat();
            check(set(Cell.pointer(this), ...types.map((type, i) => type(numbers[i]))));
        }
    }

    setForgetBias(forgetBias) {
        check(c.cell_set_forget_bias(Cell.pointer(this), forgetBias));
    }

    /** All options, as the constructor takes them. */
    get options() {
        return optionsOf(Cell.pointer(this));
    }

    /** How many numbers it reads, its units, the numbers in h, and how many numbers it gives. */
    get sizes() {
        return sizesOf(Cell.pointer(this));
    }
}

/** What the readout reads of the top layer; values may be combined with |. */
export const Readout = Object.freeze({ C: 1, H: 2 });

/** How initial values are drawn. */
export const Initializer = Object.freeze({
    ZEROS: 0, UNIFORM: 1, GLOROT_UNIFORM: 2, GLOROT_NORMAL: 3, HE_UNIFORM: 4, HE_NORMAL: 5, NORMAL: 6,
    TRUNCATED_NORMAL: 7, CONSTANT: 8, ORTHOGONAL: 9,
});

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

    /** What the readout reads, as setReadout() takes it, or 0. */
    get readout() {
        return c.stack_readout(Stack.pointer(this));
    }

    get layerCount() {
        return c.stack_layer_count(Stack.pointer(this));
    }

    get inputSize() {
        return c.stack_input_size(Stack.pointer(this));
    }

    get outputSize() {
        return c.stack_output_size(Stack.pointer(this));
    }

    /** The options of the cell of a layer. */
    options(layer) {
        return optionsOf(c.stack_cell(Stack.pointer(this), int32(layer)));
    }

    /** The sizes of the cell of a layer, all 0 for one that is not there. */
    sizes(layer) {
        return sizesOf(c.stack_cell(Stack.pointer(this), int32(layer)));
    }

    /** Gives every kernel and projection new values, gains and highway biases 1, everything else 0. */
    init(initializer, seed) {
        check(c.stack_init(Stack.pointer(this), int32(initializer), seed));
    }

    /**
     * Gives one parameter new values; a and b are what the initializer takes: the bounds of UNIFORM,
     * mean and deviation of NORMAL and TRUNCATED_NORMAL, the value of CONSTANT, the gain of ORTHOGONAL.
     */
    initParam(name, initializer, a, b, seed) {
        check(c.stack_init_param(Stack.pointer(this), name, int32(initializer), a, b, seed));
    }

    /** Name and shape of every parameter, from the bottom layer to the readout. */
    get params() {
        const stack = Stack.pointer(this);
        return Array.from({ length: c.stack_param_count(stack) }, (_, index) => {
            const [name, rank, shape] = [[null], [0], new Int32Array(2)];
            check(c.stack_param_info(stack, index, name, rank, shape));
            return { name: name[0], shape: [...shape.subarray(0, rank[0])] };
        });
    }

    getParam(name, values) {
        check(c.stack_get_param(Stack.pointer(this), name, floats('values', values), values.length));
    }

    setParam(name, values) {
        check(c.stack_set_param(Stack.pointer(this), name, floats('values', values), values.length));
    }

    /** Moves a state on by one step: x is [B,I], y [B,O], or null. */
    stepForward(state, x, y = null) {
        floats('x', x, state.batch * this.inputSize);
        floatsOrNull('y', y, state.batch * this.outputSize);
        check(c.step_forward(Stack.pointer(this), State.pointer(state), x, y));
    }

    /** Moves a state on by the steps that x [T,B,I] has; y is [T,B,O], or null. */
    forward(state, x, y = null) {
        const [stack, { batch }] = [Stack.pointer(this), state];
        const steps = Math.floor(floats('x', x).length / (batch * this.inputSize));
        floats('x', x, steps * batch * this.inputSize);
        floatsOrNull('y', y, steps * batch * this.outputSize);
        check(c.forward(stack, State.pointer(state), x, steps, y));
    }

    /**
     * Walks the recorded steps back and adds to grads; dy [T,B,O] is the gradient of y. Beside it,
     * dhTop [T,B,D] and dcTop [T,B,C] are those of h and c of the top layer, and dx [T,B,I] becomes that
     * of x. All may be null.
     */
    backward(state, dy, grads, { dhTop = null, dcTop = null, dx = null } = {}) {
        const [stack, recorded] = [Stack.pointer(this), State.pointer(state)];
        const rows = state.steps * state.batch;
        const length = (width) => (rows > 0 ? rows * width : undefined);
        floatsOrNull('dy', dy, length(this.outputSize));
        floatsOrNull('dhTop', dhTop, length(state.topWidths.h));
        floatsOrNull('dcTop', dcTop, length(state.topWidths.c));
        floatsOrNull('dx', dx, length(this.inputSize));
        check(c.backward(stack, recorded, dy, dhTop, dcTop, dx,
            grads === null ? null : Grads.pointer(grads)));
    }
}

/** c and h of every layer, and the recorded window. */
export class State extends Handle {
    #widths;

    /** A state of 0 for `batch` rows that records up to `window` steps; 0 is for inference. */
    constructor(stack, batch, window) {
        super((out) => c.state_create(Stack.pointer(stack), int32(batch), int32(window), out),
            c.state_destroy);
        this.#widths = widthsOf(stack);
    }

    /** How many numbers c and h of the top layer have in a row. */
    get topWidths() {
        return this.#widths.top;
    }

    setThreads(threads) {
        check(c.state_set_threads(State.pointer(this), int32(threads)));
    }

    get threads() {
        return c.state_threads(State.pointer(this));
    }

    /** Sets c and h to 0 and begins a window. */
    zero() {
        check(c.state_zero(State.pointer(this)));
    }

    /** As zero(), but layers with a learned state begin with theirs. */
    beginSequence(stack) {
        check(c.state_begin_sequence(Stack.pointer(stack), State.pointer(this)));
    }

    /** Keeps c and h, forgets the recorded steps. */
    beginWindow() {
        check(c.state_begin_window(State.pointer(this)));
    }

    /** Begins a window whose first steps are the last ones that were recorded. */
    keepSteps(steps) {
        check(c.state_keep_steps(State.pointer(this), int32(steps)));
    }

    /** How many steps each row still has, an Int32Array [B]; null for no end. */
    setLengths(lengths) {
        const count = lengths === null ? 0 : array('lengths', Int32Array, lengths).length;
        check(c.state_set_lengths(State.pointer(this), lengths, count));
    }

    /** Turns dropout and zoneout at random on, with a seed, or off; begins a window. */
    setTraining(training, seed = 0) {
        check(c.state_set_training(State.pointer(this), flag(training), seed));
    }

    get training() {
        return c.state_training(State.pointer(this)) !== 0;
    }

    /** How many numbers the state tensor [L,2,B,H] has. */
    get size() {
        return c.state_size(State.pointer(this));
    }

    get batch() {
        return c.state_batch(State.pointer(this));
    }

    /** Steps that a window can record. */
    get window() {
        return c.state_window(State.pointer(this));
    }

    /** Steps recorded since the window began. */
    get steps() {
        return c.state_steps(State.pointer(this));
    }

    /** Bytes that the state holds. */
    get bytes() {
        return c.state_bytes(State.pointer(this));
    }

    get(values) {
        check(c.state_get(State.pointer(this), floats('values', values), values.length));
    }

    set(values) {
        check(c.state_set(State.pointer(this), floats('values', values), values.length));
    }

    /**
     * Copies c [B,H] and h [B,P] of a layer out, [2,B,H] and [2,B,P] of a bidirectional one; either may
     * be null.
     */
    getLayer(layer, cValues, hValues) {
        this.#checkLayer(layer, cValues, hValues);
        check(c.state_get_layer(State.pointer(this), int32(layer), cValues, hValues));
    }

    /** Replaces c and h of a layer, as getLayer() gives them, and begins a window; null leaves a half. */
    setLayer(layer, cValues, hValues) {
        this.#checkLayer(layer, cValues, hValues);
        check(c.state_set_layer(State.pointer(this), int32(layer), cValues, hValues));
    }

    /** The library has the sentence for a layer that is not there. */
    #checkLayer(layer, cValues, hValues) {
        if (Object.hasOwn(this.#widths.layers, layer))
            checkPair(this.batch, this.#widths.layers[layer], cValues, hValues);
    }

    /** Copies c [T,B,C] and h [T,B,D] of the top layer out, of every recorded step; either may be null. */
    getTop(cValues, hValues) {
        const rows = this.steps * this.batch;
        if (rows > 0)
            checkPair(rows, this.#widths.top, cValues, hValues);
        check(c.state_get_top(State.pointer(this), cValues, hValues));
    }

    /** Gives the gradient of the loss beyond this window, [L,2,B,H]; null for none. */
    setFinalGrad(values) {
        const count = floatsOrNull('values', values)?.length ?? 0;
        check(c.state_set_final_grad(State.pointer(this), values, count));
    }

    /** The gradient of the state at the beginning of the window, as the last backward pass found it. */
    getInitialGrad(values) {
        check(c.state_get_initial_grad(State.pointer(this), floats('values', values), values.length));
    }

    /** As apply() of the optimizer, on the threads of this state. */
    apply(optimizer, stack, grads) {
        check(c.state_apply_grads(State.pointer(this), Optimizer.pointer(optimizer),
            Stack.pointer(stack), Grads.pointer(grads)));
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

    scale(factor) {
        check(c.grads_scale(Grads.pointer(this), factor));
    }

    add(other) {
        check(c.grads_add(Grads.pointer(this), Grads.pointer(other)));
    }

    /** The global norm. */
    norm() {
        const norm = new Float32Array(1);
        check(c.grads_norm(Grads.pointer(this), norm));
        return norm[0];
    }

    /** Clips by the global norm and returns what that was before. */
    clipNorm(maxNorm) {
        const norm = new Float32Array(1);
        check(c.grads_clip_norm(Grads.pointer(this), maxNorm, norm));
        return norm[0];
    }

    /** Clips the gradient of every parameter by its own norm. */
    clipParamNorm(maxNorm) {
        check(c.grads_clip_param_norm(Grads.pointer(this), maxNorm));
    }

    /** Clips every number to -limit to limit. */
    clipValue(limit) {
        check(c.grads_clip_value(Grads.pointer(this), limit));
    }

    /** Throws MLSTM_ERROR_NOT_FINITE, naming the parameter, where a number is not finite. */
    check() {
        check(c.grads_check(Grads.pointer(this), null));
    }

    get(name, values) {
        check(c.grads_get(Grads.pointer(this), name, floats('values', values), values.length));
    }

    set(name, values) {
        check(c.grads_set(Grads.pointer(this), name, floats('values', values), values.length));
    }

    /**
     * Lends the block itself to a function, in the kernels' own order, for what is done to all gradients
     * alike; padding in it is 0 and has to stay so. The array is good until the function returns.
     */
    data(use) {
        const [address, count] = [[null], [0]];
        check(c.grads_data(Grads.pointer(this), address, count));
        use(new Float32Array(koffi.view(address[0], count[0] * 4)));
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

    static rmsprop(stack, rate, { decay = 0.9, momentum = 0, epsilon = 1e-10, centered = false } = {}) {
        return new Optimizer((out) => c.rmsprop_create(Stack.pointer(stack), rate, decay, momentum,
            epsilon, flag(centered), out));
    }

    static adam(stack, rate, { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = {}) {
        return new Optimizer((out) =>
            c.adam_create(Stack.pointer(stack), rate, beta1, beta2, epsilon, out));
    }

    static adamw(stack, rate, { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = {}) {
        return new Optimizer((out) =>
            c.adamw_create(Stack.pointer(stack), rate, beta1, beta2, epsilon, weightDecay, out));
    }

    static amsgrad(stack, rate, { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = {}) {
        return new Optimizer((out) =>
            c.amsgrad_create(Stack.pointer(stack), rate, beta1, beta2, epsilon, out));
    }

    static nadam(stack, rate, { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, momentumDecay = 0.004 } = {}) {
        return new Optimizer((out) =>
            c.nadam_create(Stack.pointer(stack), rate, beta1, beta2, epsilon, momentumDecay, out));
    }

    static lion(stack, rate, { beta1 = 0.9, beta2 = 0.99, weightDecay = 0 } = {}) {
        return new Optimizer((out) =>
            c.lion_create(Stack.pointer(stack), rate, beta1, beta2, weightDecay, out));
    }

    setRate(rate) {
        check(c.optimizer_set_rate(Optimizer.pointer(this), rate));
    }

    get rate() {
        return c.optimizer_rate(Optimizer.pointer(this));
    }

    /** How many updates were made. */
    get stepCount() {
        return c.optimizer_step_count(Optimizer.pointer(this));
    }

    setStepCount(count) {
        check(c.optimizer_set_step_count(Optimizer.pointer(this), count));
    }

    /** The names of the slots that the rule keeps for each parameter. */
    get slots() {
        const optimizer = Optimizer.pointer(this);
        return Array.from({ length: c.optimizer_slot_count(optimizer) },
            (_, index) => c.optimizer_slot_name(optimizer, index));
    }

    getSlot(slot, name, values) {
        check(c.optimizer_get_slot(Optimizer.pointer(this), slot, name, floats('values', values),
            values.length));
    }

    setSlot(slot, name, values) {
        check(c.optimizer_set_slot(Optimizer.pointer(this), slot, name, floats('values', values),
            values.length));
    }

    /** The weight decay of one parameter, 0 for one that is not there. */
    weightDecay(name) {
        return c.optimizer_weight_decay(Optimizer.pointer(this), name);
    }

    /** Sets the weight decay of one parameter. */
    setWeightDecay(name, decay) {
        check(c.optimizer_set_weight_decay(Optimizer.pointer(this), name, decay));
    }

    frozen(name) {
        return c.optimizer_frozen(Optimizer.pointer(this), name) !== 0;
    }

    /** Freezes one parameter, or lets it go on. */
    setFrozen(name, frozen = true) {
        check(c.optimizer_set_frozen(Optimizer.pointer(this), name, flag(frozen)));
    }

    /** Updates every parameter of the stack that is not frozen by its gradient. */
    apply(stack, grads) {
        check(c.apply_grads(Optimizer.pointer(this), Stack.pointer(stack), Grads.pointer(grads)));
    }
}

/** Fills and returns probabilities, softmax of each row of logits [rows, classes]; both may be one. */
export function softmax(logits, classes, probabilities = new Float32Array(logits.length)) {
    const columns = Math.max(int32(classes), 1);
    const rows = Math.floor(floats('logits', logits).length / columns);
    floats('logits', logits, rows * columns);
    floats('probabilities', probabilities, logits.length);
    check(c.softmax(logits, rows, classes, probabilities));
    return probabilities;
}

/**
 * The loss averaged over the rows of logits [rows, classes], with a label for each, an Int32Array;
 * fills probabilities and dlogits, its gradient, where they are given.
 */
export function softmaxCrossEntropy(logits, labels, { probabilities = null, dlogits = null } = {}) {
    const [rows, classes] = softmaxSizes(logits, labels, probabilities, dlogits);
    const loss = new Float32Array(1);
    check(c.softmax_cross_entropy(logits, labels, rows, classes, probabilities, dlogits, loss));
    return loss[0];
}

/** As softmaxCrossEntropy, with a weight for each row, a label that is ignored, and smoothing. */
export function softmaxCrossEntropyWeighted(logits, labels, {
    weights = null, ignored = -1, smoothing = 0, probabilities = null, dlogits = null,
} = {}) {
    const [rows, classes] = softmaxSizes(logits, labels, probabilities, dlogits);
    floatsOrNull('weights', weights, rows);
    const loss = new Float32Array(1);
    check(c.softmax_cross_entropy_weighted(logits, labels, weights, rows, classes, int32(ignored),
        smoothing, probabilities, dlogits, loss));
    return loss[0];
}

/** Rows and classes of arrays that fit. */
function softmaxSizes(logits, labels, probabilities, dlogits) {
    const rows = array('labels', Int32Array, labels).length;
    const classes = columnsOf('logits', logits, rows);
    floatsOrNull('probabilities', probabilities, logits.length);
    floatsOrNull('dlogits', dlogits, logits.length);
    return [rows, classes];
}

/** How many numbers each row of an array has. */
function columnsOf(name, values, rows) {
    const columns = Math.floor(floats(name, values).length / Math.max(rows, 1));
    floats(name, values, rows * columns);
    return columns;
}

/** Losses averaged over outputs and targets of one length; each fills its gradient where it is given. */
export const sigmoidCrossEntropy = (logits, targets, dlogits = null) =>
    compare(c.sigmoid_cross_entropy, logits, targets, dlogits);
export const absoluteError = (outputs, targets, doutputs = null) =>
    compare(c.absolute_error, outputs, targets, doutputs);
export const huberLoss = (outputs, targets, delta = 1, doutputs = null) =>
    compare(c.huber_loss, outputs, targets, doutputs, delta);
export const squaredError = (outputs, targets, doutputs = null) =>
    compare(c.squared_error, outputs, targets, doutputs);

/** The four above, for weightedLoss. */
export const Loss = Object.freeze({
    SQUARED_ERROR: 0, ABSOLUTE_ERROR: 1, HUBER_LOSS: 2, SIGMOID_CROSS_ENTROPY: 3,
});

/** One of the losses above with a weight for each row of outputs and targets. */
export function weightedLoss(kind, outputs, targets, weights, { delta = 1, doutputs = null } = {}) {
    const rows = floats('weights', weights).length;
    const columns = columnsOf('outputs', outputs, rows);
    return compare((y, z, _, dy, loss) =>
        c.weighted_loss(int32(kind), y, z, weights, rows, columns, delta, dy, loss),
    outputs, targets, doutputs);
}

function compare(call, outputs, targets, doutputs, ...settings) {
    const count = floats('outputs', outputs).length;
    floats('targets', targets, count);
    floatsOrNull('the gradient', doutputs, count);
    const loss = new Float32Array(1);
    check(call(outputs, targets, count, ...settings, doutputs, loss));
    return loss[0];
}

/** Learning rates from the number of updates made before (schedule.h). */
export const scheduleStep = (rate, step, period, factor) => c.schedule_step(rate, step, period, factor);
export const scheduleExponential = (rate, step, period, factor) =>
    c.schedule_exponential(rate, step, period, factor);
export const scheduleCosine = (rate, step, steps, alpha) => c.schedule_cosine(rate, step, steps, alpha);
export const scheduleWarmup = (rate, step, steps, start) => c.schedule_warmup(rate, step, steps, start);

/** The loss scale of mlstm_schedule_loss_scale: `value` is that of the next window. */
export class LossScale {
    #streak = new BigInt64Array(1);

    constructor(value = 65536, { period = 2000, growth = 2, backoff = 0.5 } = {}) {
        Object.assign(this, { value, period, growth, backoff });
    }

    /** Takes in whether the gradients of the window were finite. */
    update(finite) {
        this.value = c.schedule_loss_scale(this.value, flag(finite), this.period, this.growth,
            this.backoff, this.#streak);
    }
}

/** The version of the library that is loaded. */
export const version = c.version();

/** The same as a number to compare: 10203 for 1.2.3. */
export const versionNumber = c.version_number();

/** The instruction set whose kernels run. */
export const isa = c.isa();
