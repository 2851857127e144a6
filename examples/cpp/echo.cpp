/* SPDX-License-Identifier: MIT */
/*
 * usage: echo [EPOCHS]
 * The echo task of examples/echo.c: an LSTM learns to repeat random bits three steps later.
 */
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

#include <mlstm/mlstm.hpp>

namespace {

const int total_series_length = 50000;
const int truncated_backprop_length = 15;
const int state_size = 4;
const int num_classes = 2;
const int echo_step = 3;
const int batch_size = 5;
const int num_layers = 3;
const int columns = total_series_length / batch_size;
const int num_batches = columns / truncated_backprop_length;
const std::size_t positions = truncated_backprop_length * batch_size;

/* Column after column, [columns,B], so that a window is a piece of it. */
struct series {
    std::vector<float> x;
    std::vector<std::int32_t> y;
};

series generate_data(std::mt19937 &generator)
{
    std::vector<int> bits(total_series_length);
    for (int &bit : bits)
        bit = static_cast<int>(generator() >> 31);
    series data{std::vector<float>(bits.size()), std::vector<std::int32_t>(bits.size())};
    for (int i = 0; i < total_series_length; i++) {
        const auto place = static_cast<std::size_t>(i % columns * batch_size + i / columns);
        data.x[place] = static_cast<float>(bits[static_cast<std::size_t>(i)]);
        data.y[place] = i < echo_step ? 0 : bits[static_cast<std::size_t>(i - echo_step)];
    }
    return data;
}

mlstm::stack create_stack()
{
    std::vector<mlstm::cell> cells;
    for (int layer = 0; layer < num_layers; layer++)
        cells.emplace_back(layer == 0 ? 1 : state_size, state_size);
    mlstm::stack stack(std::move(cells));
    stack.set_readout(num_classes, MLSTM_READOUT_C | MLSTM_READOUT_H);
    stack.init(MLSTM_GLOROT_UNIFORM, 1);
    stack.init_param("readout.kernel_c", MLSTM_UNIFORM, 0, 1, 1);
    stack.init_param("readout.kernel_h", MLSTM_UNIFORM, 0, 1, 1);
    return stack;
}

struct network {
    mlstm::stack stack = create_stack();
    mlstm::state state{stack, batch_size, truncated_backprop_length};
    mlstm::grads grads{stack};
    mlstm::optimizer optimizer = mlstm::optimizer::adagrad(stack, 0.3f, 0.1f);
    std::vector<float> logits = std::vector<float>(positions * num_classes);
    std::vector<float> dlogits = logits;

    float train(mlstm::span<const float> x, mlstm::span<const std::int32_t> y)
    {
        state.begin_window();
        mlstm::forward(stack, state, x, truncated_backprop_length, logits);
        const float loss = mlstm::softmax_cross_entropy(logits, y, num_classes, {}, dlogits);
        grads.zero();
        mlstm::backward(stack, state, dlogits, grads);
        optimizer.apply(stack, grads);
        return loss;
    }
};

} // namespace

int main(int argc, char **argv)
try {
    const int num_epochs = argc > 1 ? std::atoi(argv[1]) : 100;
    network net;
    std::mt19937 generator(1);
    for (int epoch = 0; epoch < num_epochs; epoch++) {
        const series data = generate_data(generator);
        net.state.zero();
        std::cout << "New data, epoch " << epoch << '\n';
        for (int batch = 0; batch < num_batches; batch++) {
            const std::size_t start = static_cast<std::size_t>(batch) * positions;
            const float loss =
                net.train({data.x.data() + start, positions}, {data.y.data() + start, positions});
            if (batch % 100 == 0)
                std::cout << "Step " << batch << " Batch loss " << loss << '\n';
        }
    }
} catch (const mlstm::error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
