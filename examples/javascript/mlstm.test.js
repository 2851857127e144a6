// SPDX-License-Identifier: MIT

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
    Cell, Drop, Grads, Initializer, Loss, LossScale, Mask, Merge, Norm, Optimizer, Readout, Skip, Stack,
    State, absoluteError, huberLoss, isa, scheduleCosine, scheduleWarmup, sigmoidCrossEntropy,
    softmax, softmaxCrossEntropy, softmaxCrossEntropyWeighted, squaredError, version, versionNumber,
    weightedLoss,
} from './mlstm.js';
import { run } from './worker.js';

/** The numbers of every record of a golden file, by path; those of text records are NaN. */
function readGolden() {
    const lines = readFileSync(process.env.MLSTM_GOLDEN, 'utf8').split('\n');
    const records = new Map();
    for (let i = 0; i < lines.length - 1; i++) {
        const [kind, path, ...rest] = lines[i].split(' ');
        records.set(path, Float32Array.from(kind === 'T' ? lines[++i].split(' ') : rest));
    }
    return records;
}

function newStack() {
    const stack = new Stack([new Cell(3, 16), new Cell(16, 16)]);
    stack.setReadout(2, Readout.H);
    stack.init(Initializer.GLOROT_UNIFORM, 1);
    return stack;
}

test('losses are those of the golden file', () => {
    const [T, B, H, O] = [15, 5, 4, 2];
    const golden = readGolden();
    const stack = new Stack([new Cell(1, H), new Cell(H, H), new Cell(H, H)]);
    stack.setReadout(O, Readout.C | Readout.H);
    for (const [name, record] of [
        ['layer0.kernel', 'kernel_0'], ['layer1.kernel', 'kernel_1'], ['layer2.kernel', 'kernel_2'],
        ['layer0.bias', 'bias_0'], ['layer1.bias', 'bias_1'], ['layer2.bias', 'bias_2'],
        ['readout.kernel_c', 'W1'], ['readout.kernel_h', 'W2'], ['readout.bias', 'b2'],
    ])
        stack.setParam(name, golden.get(`initial_params/${record}`));
    const state = new State(stack, B, T);
    const grads = new Grads(stack);
    const adagrad = Optimizer.adagrad(stack, 0.3, { initialAccumulator: 0.1 });
    const logits = new Float32Array(T * B * O);
    const dlogits = new Float32Array(T * B * O);

    for (let window = 0; window < 20; window++) {
        const record = (name) => golden.get(`windows/${window}/${name}`);
        const transposed = (values) => values.map((_, i) => values[(i % B) * T + Math.floor(i / B)]);
        state.beginWindow();
        stack.forward(state, transposed(record('x')), logits);
        const loss = softmaxCrossEntropy(logits, Int32Array.from(transposed(record('y'))), { dlogits });
        grads.zero();
        stack.backward(state, dlogits, grads);
        adagrad.apply(stack, grads);

        const [expected] = record('loss');
        assert.ok(Math.abs(loss - expected) <= 5e-6, `window ${window}: ${loss} for ${expected}`);
    }
});

test('errors carry the sentence of the library', () => {
    assert.throws(() => new Cell(0, 4),
        { code: 'MLSTM_ERROR_INVALID_ARGUMENT', message: /input_size must be at least 1, got 0$/ });
    assert.throws(() => new Stack([]), { code: 'MLSTM_ERROR_INVALID_ARGUMENT' });
    assert.throws(() => new Stack([new Cell(1, 4), new Cell(5, 4)]),
        { code: 'MLSTM_ERROR_MISMATCH', message: /4.*5|5.*4/ });
    const cell = new Cell(4, 4);
    assert.throws(() => new Stack([cell, cell]), { code: 'MLSTM_ERROR_OWNED' });
    const stack = newStack();
    assert.throws(() => stack.setParam('layer9.bias', new Float32Array(1)),
        { code: 'MLSTM_ERROR_NOT_FOUND', message: /layer9\.bias/ });
    assert.throws(() => stack.forward(new State(newStack(), 1, 1), new Float32Array(3)),
        { code: 'MLSTM_ERROR_MISMATCH' });
    assert.throws(() => stack.backward(new State(stack, 1, 1), new Float32Array(3), new Grads(stack)),
        { code: 'MLSTM_ERROR_ORDER' });
});

test('what C could not check is refused', () => {
    const stack = newStack();
    const state = new State(stack, 2, 4);
    const grads = new Grads(stack);
    assert.throws(() => stack.forward(state, new Float32Array(7)),
        { name: 'RangeError', message: 'x must have 6 numbers, got 7' });
    assert.throws(() => stack.forward(state, new Float64Array(6)), TypeError);
    assert.throws(() => stack.forward(state, new Float32Array(6), new Float32Array(3)), RangeError);
    stack.forward(state, new Float32Array(6));
    assert.throws(() => stack.backward(state, new Float32Array(5), grads), RangeError);
    assert.throws(() => stack.backward(grads, new Float32Array(4), grads), TypeError);
    assert.throws(() => new Cell(1.5, 4), RangeError);
    assert.throws(() => new State(grads, 1, 1), { name: 'TypeError', message: 'expected a Stack' });
    stack.backward(state, new Float32Array(4), grads);
});

test('a closed handle is closed once and used no more', () => {
    const cell = new Cell(1, 1);
    const stack = new Stack([cell]);
    const closed = { name: 'TypeError', message: /is closed/ };
    assert.throws(() => cell.setForgetBias(1), closed); // the stack's now
    cell.close();
    assert.throws(() => new Stack([cell]), closed);
    const state = new State(stack, 1, 1);
    const grads = new Grads(stack);
    const sgd = Optimizer.sgd(stack, 0.1);
    stack.forward(state, new Float32Array(1));
    for (let times = 0; times < 2; times++) {
        for (const handle of [stack, state, grads, sgd])
            handle.close();
        assert.throws(() => stack.inputSize, closed);
        assert.throws(() => state.zero(), closed);
        assert.throws(() => grads.zero(), closed);
        assert.throws(() => sgd.setRate(1), closed);
    }
});

const belowOptions = {
    biases: 2, peepholes: true, projection: 4, projectionClip: 3, cellClip: 5,
    bidirectional: Merge.CONCAT, learnedState: true,
};
const aboveOptions = {
    coupled: true, norm: [Norm.PRODUCTS, 0.125], zoneout: [0.25, 0.125], dropout: [0.125, Mask.SEQUENCE],
    recurrentDropout: [0.25, Drop.CANDIDATE, Mask.SEQUENCE], skip: Skip.RESIDUAL,
};

/** A bidirectional layer with most options below one with the rest. */
function newVariants() {
    const stack = new Stack([new Cell(2, 6, belowOptions), new Cell(8, 8, aboveOptions)]);
    stack.setReadout(1, Readout.H);
    stack.init(Initializer.ORTHOGONAL, 1);
    stack.initParam('layer0.peephole_i', Initializer.TRUNCATED_NORMAL, 0, 0.1, 1);
    return stack;
}

test('options are those that were set', () => {
    const stack = newVariants();
    const plain = new Cell(1, 1).options;
    assert.equal(plain.forgetBias, 1);
    assert.deepEqual(stack.options(0), { ...plain, ...belowOptions });
    assert.deepEqual(stack.options(1), { ...plain, ...aboveOptions });
    assert.deepEqual(new Cell(1, 1, stack.options(1)).options, stack.options(1));
    assert.throws(() => stack.options(2), { code: 'MLSTM_ERROR_INVALID_ARGUMENT' });
    assert.deepEqual(stack.sizes(0), { input: 2, hidden: 6, recurrent: 4, output: 8, outputC: 12 });
    assert.deepEqual(stack.sizes(1), { input: 8, hidden: 8, recurrent: 8, output: 8, outputC: 8 });
    assert.deepEqual(stack.sizes(2), { input: 0, hidden: 0, recurrent: 0, output: 0, outputC: 0 });
    assert.deepEqual(new Cell(3, 2).sizes,
        { input: 3, hidden: 2, recurrent: 2, output: 2, outputC: 2 });
    assert.equal(stack.readout, Readout.H);
    stack.getParam('layer0.reverse.projection', new Float32Array(6 * 4));
    assert.throws(() => new Cell(1, 1, { dropout: [1, Mask.STEP] }), /rate/);
    assert.throws(() => new Cell(1, 1, { projection: 1.5 }), RangeError);
    assert.throws(() => new Cell(1, 1, { peephole: true }), /no option peephole/);
});

test('rows of 4, 2 and 3 steps learn the first number of each pair', () => {
    const lengths = Int32Array.of(4, 2, 3);
    const x = new Float32Array(24).map((_, i) => (i % 2 ? 1 : ((i / 2) % 5) / 5 - 0.4));
    const targets = new Float32Array(12).map((_, i) => (Math.floor(i / 3) < lengths[i % 3] ? x[2 * i] : 0));
    const [y, dy] = [new Float32Array(12), new Float32Array(12)];
    const stack = newVariants();
    const state = new State(stack, 3, 4);
    const grads = new Grads(stack);
    const optimizer = Optimizer.adamw(stack, 0.02);
    optimizer.setWeightDecay('readout.bias', 0);
    optimizer.setFrozen('layer1.kernel');
    const kernel = () => {
        const values = new Float32Array(16 * 32);
        stack.getParam('layer1.kernel', values);
        return values;
    };
    const frozen = kernel();

    const loss = () => {
        state.beginSequence(stack);
        state.setLengths(lengths);
        stack.forward(state, x, y);
        assert.deepEqual([y[10], y[11]], [0, 0]);
        return huberLoss(y, targets, 1, dy);
    };
    const before = loss();
    for (let update = 0; update < 60; update++) {
        state.setTraining(true, update);
        assert.ok(state.training);
        loss();
        grads.zero();
        stack.backward(state, dy, grads);
        grads.clipValue(1);
        optimizer.setRate(scheduleWarmup(0.02, optimizer.stepCount, 10, 0.1));
        optimizer.apply(stack, grads);
    }
    state.setTraining(false);
    assert.ok(loss() < before / 4);
    assert.deepEqual(kernel(), frozen);

    state.beginWindow();
    state.setLengths(null);
    assert.throws(() => state.setLengths([4, 2, 3]), TypeError);
    stack.forward(state, x, y);
    assert.throws(() => state.keepSteps(1), { code: 'MLSTM_ERROR_ORDER' });
    grads.check();
    stack.backward(state, dy.fill(NaN), grads);
    for (const refused of [() => grads.check(), () => grads.clipParamNorm(1)])
        assert.throws(refused, { code: 'MLSTM_ERROR_NOT_FINITE' });
});

test('optimizers descend', () => {
    const stack = new Stack([new Cell(1, 1)]);
    stack.setReadout(1, Readout.H);
    const [state, grads, bias] = [new State(stack, 1, 1), new Grads(stack), new Float32Array(1)];
    stack.forward(state, Float32Array.of(1));
    stack.backward(state, Float32Array.of(1), grads);
    for (const rule of ['sgd', 'adagrad', 'rmsprop', 'adam', 'adamw', 'amsgrad', 'nadam', 'lion']) {
        const optimizer = Optimizer[rule](stack, 0.5);
        stack.init(Initializer.ZEROS, 0);
        optimizer.setStepCount(7);
        optimizer.apply(stack, grads);
        stack.getParam('readout.bias', bias);
        assert.ok(bias[0] < 0, rule);
        assert.equal(optimizer.stepCount, 8);
        assert.throws(() => optimizer.setRate(scheduleCosine(0.5, -1, 10, 0)), /rate/);
    }
});

const [T, B] = [3, 2];

/** Two layers without a readout, so that y is h of the top one. */
function newParts() {
    const stack = new Stack([new Cell(2, 4), new Cell(4, 3)]);
    stack.init(Initializer.GLOROT_UNIFORM, 1);
    return stack;
}

const inputs = Float32Array.from({ length: T * B * 2 }, (_, i) => (i % 5) / 5 - 0.4);

/** A state that has read the inputs, and y. */
function read(stack) {
    const [state, y] = [new State(stack, B, T), new Float32Array(T * B * stack.outputSize)];
    stack.forward(state, inputs, y);
    return [state, y];
}

test('handles describe themselves', () => {
    assert.match(isa, /^(avx512|avx2|neon|portable)$/);
    assert.equal(version.split('.').reduce((all, part) => 100 * all + Number(part), 0), versionNumber);
    const stack = newParts();
    stack.setReadout(5, Readout.H);
    assert.equal(stack.layerCount, 2);
    assert.deepEqual(stack.params, [
        { name: 'layer0.kernel', shape: [6, 16] }, { name: 'layer0.bias', shape: [16] },
        { name: 'layer1.kernel', shape: [7, 12] }, { name: 'layer1.bias', shape: [12] },
        { name: 'readout.kernel_h', shape: [3, 5] }, { name: 'readout.bias', shape: [5] },
    ]);
    const state = new State(stack, B, T);
    state.setThreads(2);
    assert.deepEqual([state.window, state.threads], [T, 2]);
    assert.ok(state.bytes > 4 * state.size);
});

test('steps are a window', () => {
    const stack = newParts();
    const [window, expected] = read(stack);
    const [state, y] = [new State(stack, B, T), new Float32Array(18)];
    for (let t = 0; t < T; t++)
        stack.stepForward(state, inputs.subarray(4 * t, 4 * t + 4), y.subarray(6 * t, 6 * t + 6));
    assert.deepEqual(y, expected);
    assert.throws(() => stack.stepForward(state, new Float32Array(3)), RangeError);

    const [c, h, lastC, lastH] = [18, 18, 6, 6].map((length) => new Float32Array(length));
    window.getTop(c, h);
    assert.deepEqual(h, expected);
    assert.throws(() => window.getTop(null, new Float32Array(3)), RangeError);
    window.getLayer(1, lastC, lastH);
    assert.deepEqual([lastC, lastH], [c.slice(12), h.slice(12)]);

    state.setLayer(1, new Float32Array(6).fill(0.5), null);
    state.getLayer(1, lastC, lastH);
    assert.deepEqual([lastC, lastH], [new Float32Array(6).fill(0.5), h.slice(12)]);
    assert.throws(() => state.setLayer(1, null, new Float32Array(4)), RangeError);
    assert.throws(() => state.getLayer(2, null, new Float32Array(4)),
        { code: 'MLSTM_ERROR_INVALID_ARGUMENT' });
});

test('directions are side by side, as wide as stack.h says', () => {
    for (const [bidirectional, width] of [[Merge.CONCAT, 2], [Merge.SUM, 1]]) {
        const stack = new Stack([new Cell(2, 4, { projection: 3, bidirectional })]);
        stack.init(Initializer.GLOROT_UNIFORM, 1);
        const [state, y] = read(stack);
        const [topC, topH] = [new Float32Array(24 * width), new Float32Array(18 * width)];
        state.getTop(topC, topH);
        assert.deepEqual(topH, y);
        assert.deepEqual(state.topWidths, { c: 4 * width, h: 3 * width });
        const [values, c, h] = [state.size, 16, 12].map((length) => new Float32Array(length));
        state.get(values);
        state.getLayer(0, c, h);
        assert.deepEqual(c.slice(0, 8), values.slice(0, 8));
        assert.deepEqual(h.slice(6), values.slice(8 + 6 + 8));
    }
});

test('gradients come in and leave everywhere', () => {
    const stack = newParts();
    const [state] = read(stack);
    const back = (dy, tops = {}) => {
        const dx = new Float32Array(12);
        stack.backward(state, dy, null, { ...tops, dx });
        return dx;
    };
    const near = (got, expected) =>
        got.forEach((value, i) =>
            assert.ok(Math.abs(value - expected[i]) < 1e-6, `${got} for ${expected}`));
    const last = new Float32Array(18).fill(1, 12); // of the last step
    const expected = back(last);
    assert.ok(expected.some((value) => Math.abs(value) > 1e-3));
    near(back(null, { dhTop: last }), expected);

    const ofC = back(null, { dcTop: last });
    assert.notDeepEqual(ofC, expected);
    const final = new Float32Array(state.size).fill(1, 16, 22); // c of the upper layer
    state.setFinalGrad(final);
    near(back(null), ofC);
    const initial = new Float32Array(state.size);
    state.getInitialGrad(initial);
    assert.ok(initial.subarray(0, 16).every((value) => value !== 0)); // c and h of the lower layer
    state.setFinalGrad(null);
    assert.deepEqual(back(null), new Float32Array(12));

    for (const name of ['dhTop', 'dcTop', 'dx'])
        assert.throws(() => stack.backward(state, null, null, { [name]: new Float32Array(3) }),
            { name: 'RangeError', message: new RegExp(name) });
    assert.throws(() => state.setFinalGrad(new Float32Array(3)), { code: 'MLSTM_ERROR_MISMATCH' });
});

test('gradients can be set', () => {
    const grads = new Grads(newParts());
    const bias = new Float32Array(12);
    bias.set([3, 4]);
    grads.set('layer1.bias', bias);
    assert.equal(grads.norm(), 5);
    grads.data((data) => data.forEach((value, i) => { data[i] = 2 * value; }));
    grads.get('layer1.bias', bias);
    assert.deepEqual([...bias.subarray(0, 3)], [6, 8, 0]);
    assert.throws(() => grads.set('layer1.bias', new Float32Array(3)), { code: 'MLSTM_ERROR_MISMATCH' });
});

/** Every parameter after one update. */
function updateOnce(onThreads) {
    const stack = newParts();
    const [state, y] = read(stack);
    const [grads, optimizer] = [new Grads(stack), Optimizer.adamw(stack, 0.5)];
    state.setThreads(2);
    stack.backward(state, y, grads);
    if (onThreads)
        state.apply(optimizer, stack, grads);
    else
        optimizer.apply(stack, grads);
    return stack.params.map(({ name, shape }) => {
        const values = new Float32Array(shape.reduce((a, b) => a * b));
        stack.getParam(name, values);
        return values;
    });
}

test('updates on threads are the same', () => assert.deepEqual(updateOnce(true), updateOnce(false)));

test('optimizers can be read', () => {
    const optimizer = Optimizer.adamw(newParts(), 0.5, { weightDecay: 0.25 });
    optimizer.setWeightDecay('layer1.bias', 0);
    optimizer.setFrozen('layer1.bias');
    optimizer.setRate(0.125);
    assert.equal(optimizer.rate, 0.125);
    for (const [name, frozen, decay] of [
        ['layer0.bias', false, 0.25], ['layer1.bias', true, 0], ['layer9.bias', false, 0],
    ])
        assert.deepEqual([optimizer.frozen(name), optimizer.weightDecay(name)], [frozen, decay], name);
    assert.deepEqual(optimizer.slots, ['exp_avg', 'exp_avg_sq']);
    const values = new Float32Array(12);
    optimizer.setSlot('exp_avg_sq', 'layer1.bias', new Float32Array(12).fill(2));
    optimizer.getSlot('exp_avg_sq', 'layer1.bias', values);
    assert.deepEqual(values, new Float32Array(12).fill(2));
    optimizer.getSlot('exp_avg', 'layer1.bias', values);
    assert.deepEqual(values, new Float32Array(12));
    assert.throws(() => optimizer.getSlot('momentum', 'layer1.bias', values),
        { code: 'MLSTM_ERROR_NOT_FOUND' });
});

test('losses and their gradients', () => {
    const [outputs, targets] = [Float32Array.of(0, 3), Float32Array.of(0, 1)];
    const [gradient, dlogits] = [new Float32Array(2), new Float32Array(4)];
    assert.equal(absoluteError(outputs, targets, gradient), 1);
    assert.deepEqual(gradient, Float32Array.of(0, 0.5));
    assert.equal(huberLoss(outputs, targets), 0.75);
    assert.equal(squaredError(outputs, targets), 2);
    const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} for ${b}`);
    near(sigmoidCrossEntropy(Float32Array.of(0), Float32Array.of(1)), Math.LN2);
    near(softmaxCrossEntropyWeighted(Float32Array.of(0, 0, 5, 9), Int32Array.of(1, -1),
        { weights: Float32Array.of(2, 3), dlogits }), 2 * Math.LN2);
    assert.deepEqual(dlogits, Float32Array.of(1, -1, 0, 0));
    const logits = Float32Array.of(0, 0, 5, 5 + Math.log(3));
    const p = softmax(logits, 2);
    [0.5, 0.5, 0.25, 0.75].forEach((expected, i) => near(p[i], expected));
    assert.deepEqual(softmax(logits, 2, logits), p);
    assert.throws(() => softmax(p, 3), RangeError);
    assert.throws(() => softmax(p, 2, gradient), RangeError);
    assert.throws(() => softmax(p, -2), { code: 'MLSTM_ERROR_INVALID_ARGUMENT' });
    assert.throws(() => absoluteError(outputs, Float32Array.of(1)), RangeError);
});

test('rows have weights', () => {
    const [outputs, targets, ones] = [Float32Array.of(0, 3), Float32Array.of(0, 1), Float32Array.of(1, 1)];
    const [plain, gradient] = [new Float32Array(2), new Float32Array(2)];
    for (const [kind, loss] of [
        [Loss.SQUARED_ERROR, () => squaredError(outputs, targets, plain)],
        [Loss.ABSOLUTE_ERROR, () => absoluteError(outputs, targets, plain)],
        [Loss.HUBER_LOSS, () => huberLoss(outputs, targets, 0.5, plain)],
        [Loss.SIGMOID_CROSS_ENTROPY, () => sigmoidCrossEntropy(outputs, targets, plain)],
    ]) {
        const got = weightedLoss(kind, outputs, targets, ones, { delta: 0.5, doutputs: gradient });
        for (const [a, b] of [[got, loss()], [gradient[0], plain[0]], [gradient[1], plain[1]]])
            assert.ok(Math.abs(a - b) < 1e-6, `loss ${kind}: ${a} for ${b}`);
    }
    assert.equal(weightedLoss(Loss.ABSOLUTE_ERROR, outputs, targets, Float32Array.of(0, 2),
        { doutputs: gradient }), 4);
    assert.deepEqual(gradient, Float32Array.of(0, 2));
    assert.throws(() => weightedLoss(Loss.ABSOLUTE_ERROR, outputs, targets, new Float32Array(3)), RangeError);
});

test('loss scales follow the gradients', () => {
    const scale = new LossScale(8, { period: 2 });
    const values = [true, true, true, false].map((finite) => {
        scale.update(finite);
        return scale.value;
    });
    assert.deepEqual(values, [8, 16, 16, 8]);
});

test('worker threads share a stack', async () => {
    const steps = 100;
    const stack = newStack();
    const x = new Float32Array(new SharedArrayBuffer(steps * 3 * 4)).map((_, i) => (i % 7) - 3);
    const workerData = { address: stack.address, x, steps };
    const alone = run(workerData, 0);
    const workers = Array.from({ length: 4 }, () =>
        new Worker(new URL('worker.js', import.meta.url), { workerData }));
    await Promise.all(workers.map(async (worker) => {
        const row = 9999 + worker.threadId;
        const [{ y, kernel, sentences }] = await once(worker, 'message');
        assert.deepEqual(y, alone.y);
        assert.deepEqual(kernel, alone.kernel);
        assert.equal(sentences.length, 200);
        for (const sentence of sentences)
            assert.match(sentence, new RegExp(`label of row ${row} `));
    }));
    stack.close();
});

/** Makes all kinds of handles many times, and closes them or leaves them to the collector. */
async function createMany(times, close) {
    for (let i = 0; i < times; i++) {
        const stack = newStack();
        const handles = [stack, new State(stack, 1, 8), new Grads(stack), Optimizer.adagrad(stack, 1)];
        for (let j = 0; j < 20; j++) // so small that the loss of one would not show
            handles.push(new Cell(1, 1));
        if (close)
            handles.forEach((handle) => handle.close());
        if (i % 100 === 99) {
            globalThis.gc(); // the collector does not know how much lies behind a handle
            await setImmediate();
        }
    }
}

async function growth(close) {
    const residentBytes = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096;
    await createMany(10000, close); // by then the JavaScript heap has its size
    globalThis.gc();
    const before = residentBytes();
    await createMany(10000, close);
    globalThis.gc();
    return residentBytes() - before;
}

test('closing frees', async () => assert.ok(await growth(true) < 4e6));
test('collecting frees', async () => assert.ok(await growth(false) < 4e6));
