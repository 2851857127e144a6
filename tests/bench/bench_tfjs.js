// SPDX-License-Identifier: MIT
'use strict';
// TensorFlow.js on its CPU backend.

const fs = require('fs');
const readline = require('readline');
const tf = require('@tensorflow/tfjs');

function readWork(path) {
    const bytes = fs.readFileSync(path);
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    const [I, H, L, B, T, O, N] = new Int32Array(buffer, 0, 7);
    const floats = new Float32Array(buffer, 32);
    let at = 0;
    const take = (count) => floats.slice(at, (at += count));
    const work = {I, H, L, B, T, O, N, kernels: [], biases: []};
    for (let l = 0; l < L; l++) {
        const rows = (l ? H : I) + H;
        work.kernels.push(tf.variable(tf.tensor2d(take(rows * 4 * H), [rows, 4 * H])));
        work.biases.push(tf.variable(tf.tensor1d(take(4 * H))));
    }
    if (O) {
        work.readoutC = tf.variable(tf.tensor2d(take(H * O), [H, O]));
        work.readoutH = tf.variable(tf.tensor2d(take(H * O), [H, O]));
        work.readoutBias = tf.variable(tf.tensor1d(take(O)));
    }
    const window = T * B * I;
    work.x = [];
    for (let n = 0; n < N; n++) {
        const x = take(window);
        work.x.push([...Array(T).keys()].map(
            (t) => tf.tensor2d(x.slice(t * B * I, (t + 1) * B * I), [B, I])));
    }
    const labels = new Int32Array(buffer, 32 + 4 * at);
    if (O)
        work.labels = [...Array(N).keys()].map((n) => tf.oneHot(
            tf.tensor1d(labels.slice(n * T * B, (n + 1) * T * B), 'int32'), O));
    else
        work.dh = tf.tensor3d(take(T * B * H), [T, B, H]);
    return work;
}

/** One step of all layers; state is [c, h] for each. */
function step(work, x, state) {
    const forgetBias = tf.scalar(1);
    return state.map(([c, h], l) => {
        const [newC, newH] = tf.basicLSTMCell(forgetBias, work.kernels[l], work.biases[l], x, c, h);
        x = newH;
        return [newC, newH];
    });
}

const zero = (work) => tf.zeros([work.B, work.H]);
const zeros = (work) => work.kernels.map(() => [zero(work), zero(work)]);
const parameters = (work) => work.kernels.flatMap((kernel, l) => [kernel, work.biases[l]]);

function forward(work, x) {
    let state = zeros(work);
    return tf.stack(x.map((now) => (state = step(work, now, state))[work.L - 1][1]));
}

function infer(work) {
    const run = () => tf.tidy(() => forward(work, work.x[0]).dataSync());
    return {run, check: () => [run()]};
}

function train(work) {
    const once = () => tf.tidy(() => {
        let h;
        const {grads} = tf.variableGrads(() => {
            h = tf.keep(forward(work, work.x[0]));
            return tf.sum(tf.mul(h, work.dh));
        }, parameters(work));
        const results = [h, ...parameters(work).map((p) => grads[p.name])].map((t) => t.dataSync());
        h.dispose();
        return results;
    });
    return {run: once, check: once};
}

function stream(work) {
    let state = zeros(work), at = 0;
    const run = () => {
        const next = tf.tidy(() => step(work, work.x[0][at], state));
        tf.dispose(state);
        state = next;
        at = (at + 1) % work.T;
        return state[work.L - 1][1].dataSync();
    };
    return {run, check: () => work.x[0].map(run)};
}

function echo(work) {
    const optimizer = tf.train.adagrad(0.3, 0.1);
    const variables = [...parameters(work), work.readoutC, work.readoutH, work.readoutBias];
    let state = zeros(work), at = 0;
    const iterate = () => {
        if (at === 0) {
            tf.dispose(state);
            state = zeros(work);
        }
        let last;
        const loss = tf.tidy(() => optimizer.minimize(() => {
            let now = state;
            const logits = work.x[at].map((x) => {
                now = step(work, x, now);
                const [c, h] = now[work.L - 1];
                return tf.add(tf.add(tf.matMul(c, work.readoutC), tf.matMul(h, work.readoutH)),
                              work.readoutBias);
            });
            last = now.map((pair) => pair.map((t) => tf.keep(t)));
            return tf.losses.softmaxCrossEntropy(work.labels[at], tf.concat(logits));
        }, true, variables).dataSync()[0]);
        tf.dispose(state);
        state = last;
        at = (at + 1) % work.N;
        return loss;
    };
    return {run: iterate,
            check: () => [Float32Array.from(work.x, iterate)]};
}

function measure(run, seconds) {
    const now = () => Number(process.hrtime.bigint());
    const end = now() + seconds * 1e9;
    let count = 1;
    const sample = () => {
        const start = now();
        for (let n = 0; n < count; n++) run();
        return now() - start;
    };
    while (sample() < 1e6) count *= 2;
    const samples = [];
    do samples.push(sample() / count);
    while (now() < end);
    return samples;
}

async function main() {
    tf.env().set('IS_NODE', false); // no advice to install another package
    await tf.setBackend('cpu');
    const programs = {train, infer, stream, echo};
    const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');
    let program = null;
    say({name: 'TensorFlow.js ' + tf.version.tfjs});
    for await (const line of readline.createInterface({input: process.stdin})) {
        const [command, ...words] = line.split(' ');
        if (command === 'load') {
            tf.disposeVariables();
            program = programs[words[0]] ? programs[words[0]](readWork(words[1])) : null;
            say({ok: program !== null});
        } else if (command === 'check') {
            const file = fs.openSync(words[0], 'w');
            for (const array of program.check()) fs.writeSync(file, new Uint8Array(array.buffer));
            fs.closeSync(file);
            say({ok: true});
        } else if (command === 'time') {
            say({ns: measure(program.run, Number(words[0]))});
        }
    }
}

main();
