// SPDX-License-Identifier: MIT

// A thread of the test: runs on a stack of the main thread's, with a state of its own.

import { parentPort, threadId, workerData } from 'node:worker_threads';
import { Grads, Stack, State, softmaxCrossEntropy } from './mlstm.js';

/** y of the last of many rounds, the gradient of layer0.kernel, and the sentences of the errors. */
export function run({ address, x, steps }, threadId) {
    const stack = new Stack(address);
    const state = new State(stack, 1, steps);
    const grads = new Grads(stack);
    const y = new Float32Array(steps * stack.outputSize);
    const kernel = new Float32Array(19 * 64);
    const labels = new Int32Array(10000 + threadId).fill(1, 9999 + threadId);
    const sentences = [];
    for (let round = 0; round < 200; round++) {
        state.zero();
        stack.forward(state, x, y);
        try {
            softmaxCrossEntropy(new Float32Array(labels.length), labels);
        } catch (error) {
            sentences.push(error.message);
        }
    }
    stack.backward(state, y, grads);
    grads.get('layer0.kernel', kernel);
    state.close();
    grads.close();
    return { y, kernel, sentences };
}

if (parentPort)
    parentPort.postMessage(run(workerData, threadId));
