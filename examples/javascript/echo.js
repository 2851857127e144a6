// SPDX-License-Identifier: MIT

// The echo task: three LSTM layers read random bits and learn to say each of them again three steps
// later. With the same seed it prints what examples/echo.c prints.

import { Cell, Grads, Initializer, Optimizer, Readout, Stack, State, softmaxCrossEntropy } from './mlstm.js';

const numEpochs = Number(process.argv[2] ?? 100);
const totalSeriesLength = 50000;
const truncatedBackpropLength = 15;
const stateSize = 4;
const numClasses = 2;
const echoStep = 3;
const batchSize = 5;
const numLayers = 3;
const columns = totalSeriesLength / batchSize;
const numBatches = Math.floor(columns / truncatedBackpropLength);
const seed = 1n;

/** 64 random bits at a time (SplitMix64, Steele et al. 2014). */
function* randomBits(state) {
    const mix = (z, shift, factor) => BigInt.asUintN(64, (z ^ (z >> shift)) * factor);
    for (;;) {
        state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
        const z = mix(mix(state, 30n, 0xbf58476d1ce4e5b9n), 27n, 0x94d049bb133111ebn);
        yield z ^ (z >> 31n);
    }
}

/** x [columns,B] is a series of bits cut into B rows, y the same bits echoStep later. */
function generateData(generator) {
    const series = [];
    while (series.length < totalSeriesLength) {
        const digits = generator.next().value.toString(2).padStart(64, '0');
        series.push(...[...digits].reverse().map(Number));
    }
    const x = new Float32Array(totalSeriesLength);
    const y = new Int32Array(totalSeriesLength);
    for (let i = 0; i < totalSeriesLength; i++) {
        const place = (i % columns) * batchSize + Math.floor(i / columns);
        x[place] = series[i];
        y[place] = series[i - echoStep] ?? 0;
    }
    return { x, y };
}

function createStack() {
    const sizes = [1, ...Array(numLayers - 1).fill(stateSize)];
    const stack = new Stack(sizes.map((inputSize) => new Cell(inputSize, stateSize)));
    stack.setReadout(numClasses, Readout.C | Readout.H);
    stack.init(Initializer.GLOROT_UNIFORM, seed);
    stack.initParam('readout.kernel_c', Initializer.UNIFORM, 0, 1, seed);
    stack.initParam('readout.kernel_h', Initializer.UNIFORM, 0, 1, seed);
    return stack;
}

const stack = createStack();
const state = new State(stack, batchSize, truncatedBackpropLength);
const grads = new Grads(stack);
const adagrad = Optimizer.adagrad(stack, 0.3, { initialAccumulator: 0.1 });

const length = truncatedBackpropLength * batchSize;
const generator = randomBits(seed);
const logits = new Float32Array(length * numClasses);
const dlogits = new Float32Array(length * numClasses);

for (let epoch = 0; epoch < numEpochs; epoch++) {
    const { x, y } = generateData(generator);
    state.zero();
    console.log(`New data, epoch ${epoch}`);

    for (let step = 0; step < numBatches; step++) {
        const batchX = x.subarray(step * length, (step + 1) * length);
        const batchY = y.subarray(step * length, (step + 1) * length);
        state.beginWindow();
        stack.forward(state, batchX, logits);
        const loss = softmaxCrossEntropy(logits, batchY, { dlogits });
        grads.zero();
        stack.backward(state, dlogits, grads);
        adagrad.apply(stack, grads);
        if (step % 100 === 0)
            console.log(`Step ${step} Batch loss ${loss}`);
    }
}
