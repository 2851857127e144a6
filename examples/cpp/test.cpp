/* SPDX-License-Identifier: MIT */
/* usage: test ECHO_SEED: the wrapper mlstm.hpp against the golden windows, and its promises. */
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <mlstm/mlstm.hpp>

namespace {

const int T = 15, B = 5, H = 4, L = 3, O = 2, windows = 20;

void expect(bool holds, const std::string &what)
{
    if (holds)
        return;
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::exit(1);
}

/* The values of every path; records that are text are not there. */
using golden_file = std::map<std::string, std::vector<float>>;

golden_file read_golden(const char *file)
{
    golden_file golden;
    std::ifstream lines(file);
    std::string line, kind, path;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        words >> kind >> path;
        if (kind == "T") {
            std::getline(lines, line);
            words.clear();
            words.str(line);
        }
        for (float value; words >> value;)
            golden[path].push_back(value);
    }
    return golden;
}

std::string window_path(int index, const std::string &what)
{
    return "windows/" + std::to_string(index) + "/" + what;
}

/* What the file calls a parameter of the library. */
const std::map<std::string, std::string> names = {
    {"layer0.kernel", "kernel_0"}, {"layer0.bias", "bias_0"},   {"layer1.kernel", "kernel_1"},
    {"layer1.bias", "bias_1"},     {"layer2.kernel", "kernel_2"}, {"layer2.bias", "bias_2"},
    {"readout.kernel_c", "W1"},    {"readout.kernel_h", "W2"},  {"readout.bias", "b2"}};

mlstm::stack create_stack()
{
    std::vector<mlstm::cell> cells;
    for (int layer = 0; layer < L; layer++)
        cells.emplace_back(layer == 0 ? 1 : H, H);
    mlstm::stack stack(std::move(cells));
    stack.set_readout(O, MLSTM_READOUT_C | MLSTM_READOUT_H);
    return stack;
}

void set_params(mlstm::stack &stack, const golden_file &golden, const std::string &folder)
{
    for (const mlstm::param &param : stack.params())
        stack.set_param(param.name, golden.at(folder + names.at(param.name)));
}

/* The file has [B,T], the library takes [T,B]. */
template <class Number> std::vector<Number> columns_of(const std::vector<float> &rows)
{
    std::vector<Number> columns;
    for (std::size_t t = 0; t < T; t++)
        for (std::size_t b = 0; b < B; b++)
            columns.push_back(static_cast<Number>(rows[b * T + t]));
    return columns;
}

float forward(const mlstm::stack &stack, mlstm::state &state, const golden_file &golden, int window,
              mlstm::span<float> dlogits)
{
    const auto x = columns_of<float>(golden.at(window_path(window, "x")));
    const auto y = columns_of<std::int32_t>(golden.at(window_path(window, "y")));
    float logits[T * B * O];
    state.begin_window();
    for (std::size_t t = 0; t < T; t++)
        mlstm::step_forward(stack, state, {x.data() + t * B, B}, {logits + t * B * O, B * O});
    return mlstm::softmax_cross_entropy(logits, y, O, {}, dlogits);
}

void expect_loss(const golden_file &golden, int window, float loss, float tolerance)
{
    const float expected = golden.at(window_path(window, "loss"))[0];
    expect(std::fabs(loss - expected) <= tolerance * expected,
           "window " + std::to_string(window) + ": loss " + std::to_string(loss) + ", expected " +
               std::to_string(expected));
}

/* Every window in one chain of training, and from the parameters and state that the file gives. */
void test_golden(const golden_file &golden)
{
    mlstm::stack stack = create_stack(), given = create_stack();
    mlstm::state state(stack, B, T), given_state(given, B, T);
    mlstm::grads grads(stack);
    mlstm::optimizer optimizer = mlstm::optimizer::adagrad(stack, 0.3f, 0.1f);
    float dlogits[T * B * O];

    set_params(stack, golden, "initial_params/");
    for (int window = 0; window < windows; window++) {
        expect_loss(golden, window, forward(stack, state, golden, window, dlogits), 5e-6f);
        grads.zero();
        mlstm::backward(stack, state, dlogits, grads);
        optimizer.apply(stack, grads);

        set_params(given, golden,
                   window == 0 ? "initial_params/" : window_path(window - 1, "params_after/"));
        given_state.set(golden.at(window_path(window, "init_state")));
        expect_loss(golden, window, forward(given, given_state, golden, window, {}), 1e-6f);
    }
}

template <class Call> void expect_error(mlstm_status status, const std::string &part, Call call)
{
    try {
        call();
    } catch (const mlstm::error &error) {
        const std::string sentence = error.what();
        expect(error.status() == status && sentence.find(part) != std::string::npos,
               "another sentence: " + sentence);
        return;
    }
    expect(false, "no error with " + part);
}

void test_errors()
{
    mlstm::stack stack = create_stack();
    mlstm::state state(stack, B, T);
    mlstm::grads grads(stack);
    std::vector<float> x(B + 1);

    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "input_size", [] { mlstm::cell(0, 4); });
    expect_error(MLSTM_ERROR_NOT_FOUND, "layer9.kernel",
                 [&] { stack.get_param("layer9.kernel", x); });
    expect_error(MLSTM_ERROR_MISMATCH, "got 6", [&] { stack.set_param("readout.bias", x); });
    expect_error(MLSTM_ERROR_MISMATCH, "5 numbers, got 6",
                 [&] { mlstm::step_forward(stack, state, x); });
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "x", [&] { mlstm::step_forward(stack, state, {}); });
    expect_error(MLSTM_ERROR_ORDER, "record", [&] { mlstm::backward(stack, state, x, grads); });
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "layer", [&] { state.set_layer(L, x, x); });

    /* 2^30 steps of 2^17 rows of 2^17 numbers are 0 in 64 bits. */
    std::vector<mlstm::cell> wide;
    wide.emplace_back(1 << 17, 1);
    mlstm::stack wide_stack(std::move(wide));
    mlstm::state many(wide_stack, 1 << 17, 0);
    expect_error(MLSTM_ERROR_MISMATCH, "x should have",
                 [&] { mlstm::forward(wide_stack, many, x, 1 << 30); });
}

/* Copies cannot be made, so nothing is freed twice; what was moved from holds nothing. */
void test_ownership()
{
    static_assert(!std::is_copy_constructible<mlstm::stack>::value, "a copy would free it twice");
    static_assert(!std::is_copy_assignable<mlstm::state>::value, "a copy would free it twice");
    static_assert(std::is_nothrow_move_constructible<mlstm::optimizer>::value, "");
#if __cplusplus >= 202002L
    static_assert(std::is_same<mlstm::span<float>, std::span<float>>::value, "");
#endif
    std::vector<mlstm::cell> cells;
    cells.emplace_back(1, 4);
    cells.emplace_back(5, 4);
    expect_error(MLSTM_ERROR_MISMATCH, "layer 1", [&] { mlstm::stack failed(std::move(cells)); });
    expect(cells.size() == 2, "a stack that failed took the cells");
    cells.pop_back();
    mlstm::stack stack(std::move(cells));
    expect(cells.empty(), "a stack left its cells");

    mlstm::stack moved(std::move(stack));
    expect(stack.handle() == nullptr && moved.layer_count() == 1, "a stack was not moved");
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "NULL", [&] { stack.init(MLSTM_ZEROS, 0); });
    moved = create_stack();
    expect(moved.layer_count() == L, "a stack was not assigned");
}

/* A bidirectional layer with most options below one with the rest. */
mlstm::stack create_variants()
{
    std::vector<mlstm::cell> cells;
    cells.emplace_back(2, 6);
    cells.back().set_peepholes().set_projection(4).set_projection_clip(3).set_cell_clip(5);
    cells.back().set_biases(2).set_learned_state().set_bidirectional(MLSTM_MERGE_CONCAT);
    cells.emplace_back(8, 8);
    cells.back().set_coupled().set_norm(MLSTM_NORM_PRODUCTS, 1e-5f).set_skip(MLSTM_SKIP_RESIDUAL);
    cells.back().set_dropout(0.125f, MLSTM_MASK_SEQUENCE).set_zoneout(0.25f, 0.125f);
    cells.back().set_recurrent_dropout(0.25f, MLSTM_DROP_CANDIDATE, MLSTM_MASK_SEQUENCE);
    mlstm::stack stack(std::move(cells));
    stack.set_readout(1, MLSTM_READOUT_H);
    stack.init(MLSTM_ORTHOGONAL, 1);
    stack.init_param("layer0.peephole_i", MLSTM_TRUNCATED_NORMAL, 0, 0.1f, 1);
    return stack;
}

void test_options()
{
    const mlstm::stack stack = create_variants();
    const mlstm::layer_view below = stack.layer(0), above = stack.layer(1);
    expect(below.peepholes() && below.projection() == 4 && below.projection_clip() == 3 &&
               below.cell_clip() == 5 && below.biases() == 2 && below.learned_state() &&
               below.bidirectional() == MLSTM_MERGE_CONCAT && below.recurrent_size() == 4 &&
               below.output_size() == 8 && below.output_c_size() == 12 &&
               above.recurrent_size() == 8,
           "options of layer 0");
    expect(stack.readout() == MLSTM_READOUT_H, "the readout's sources");
    float epsilon;
    std::int32_t what, mask;
    expect(above.coupled() && above.norm(&epsilon) == MLSTM_NORM_PRODUCTS && epsilon == 1e-5f &&
               above.skip() == MLSTM_SKIP_RESIDUAL && above.dropout() == 0.125f &&
               above.zoneout() == std::make_pair(0.25f, 0.125f) &&
               above.recurrent_dropout(&what, &mask) == 0.25f && what == MLSTM_DROP_CANDIDATE &&
               mask == MLSTM_MASK_SEQUENCE,
           "options of layer 1");
    std::map<std::string, std::vector<std::int32_t>> shapes;
    for (const mlstm::param &param : stack.params())
        shapes[param.name] = param.shape;
    using shape = std::vector<std::int32_t>;
    expect(shapes.at("layer0.reverse.projection") == shape{6, 4} &&
               shapes.at("layer0.peephole_i") == shape{6} &&
               shapes.at("layer1.norm_c_gain") == shape{8} &&
               shapes.at("readout.kernel_h") == shape{8, 1},
           "shapes of parameters");
    mlstm::param vector{"vector", {6}}, matrix{"matrix", {6, 4}};
    expect(mlstm::param().count() == 0 && vector.count() == 6 && matrix.count() == 24,
           "numbers of parameters");
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "rate", [] { mlstm::cell(1, 1).set_dropout(1); });
}

/* Rows of 4, 2 and 3 steps learn the first number of each pair. */
void test_training()
{
    const std::size_t steps = 4, rows = 3, count = steps * rows;
    const std::int32_t lengths[] = {4, 2, 3};
    mlstm::stack stack = create_variants();
    mlstm::state state(stack, 3, 4);
    mlstm::grads grads(stack);
    mlstm::optimizer optimizer = mlstm::optimizer::adamw(stack, 0.02f);
    optimizer.set_weight_decay("readout.bias", 0);
    optimizer.set_frozen("layer1.kernel");
    expect(optimizer.frozen("layer1.kernel") && optimizer.weight_decay("readout.bias") == 0 &&
               optimizer.weight_decay("layer0.kernel") == 0.01f,
           "settings of parameters");
    std::vector<float> x(2 * count), targets(count), y(count), dy(count), c(count * 8);
    for (std::size_t i = 0; i < count; i++) {
        x[2 * i] = static_cast<float>(i % 5) / 5 - 0.4f;
        x[2 * i + 1] = 1;
        targets[i] = i / rows < static_cast<std::size_t>(lengths[i % rows]) ? x[2 * i] : 0;
    }
    std::vector<float> frozen(16 * 32), after(16 * 32);
    stack.get_param("layer1.kernel", frozen);

    const auto loss = [&] {
        state.begin_sequence(stack);
        state.set_lengths(lengths);
        mlstm::forward(stack, state, x, 4, y);
        return mlstm::huber_loss(y, targets, 1, dy);
    };
    const float before = loss();
    expect(y[3 * rows] != 0 && y[3 * rows + 1] == 0 && y[3 * rows + 2] == 0, "rows do not end");
    for (std::uint64_t update = 0; update < 60; update++) {
        state.set_training(true, update);
        expect(state.training(), "training is off");
        loss();
        grads.zero();
        mlstm::backward(stack, state, dy, grads);
        grads.clip_value(1);
        optimizer.set_rate(mlstm_schedule_warmup(0.02f, optimizer.step_count(), 10, 0.1f));
        optimizer.apply(stack, grads);
    }
    state.set_training(false);
    const float learned = loss();
    expect(learned < before / 4,
           "loss " + std::to_string(before) + ", then " + std::to_string(learned));
    stack.get_param("layer1.kernel", after);
    expect(after == frozen && optimizer.step_count() == 60, "what was frozen has changed");

    state.get_top(c, {});
    std::vector<float> both(2 * rows * 6), projected(2 * rows * 4);
    state.get_layer(0, both, projected);
    expect_error(MLSTM_ERROR_MISMATCH, "h should have 24",
                 [&] { state.set_layer(0, both, both); });
    expect_error(MLSTM_ERROR_ORDER, "bidirectional", [&] { state.keep_steps(1); });
    grads.check();
    grads.set_param("readout.bias", std::vector<float>{INFINITY});
    expect(!grads.finite(), "an infinity was not seen");
    expect_error(MLSTM_ERROR_NOT_FINITE, "readout.bias", [&] { grads.check(); });
    expect_error(MLSTM_ERROR_NOT_FINITE, "readout.bias", [&] { grads.clip_param_norm(1); });
}

/* Every parameter after one update. */
std::vector<float> update_once(bool on_threads)
{
    mlstm::stack stack = create_variants();
    mlstm::state state(stack, 3, 4);
    mlstm::grads grads(stack);
    mlstm::optimizer optimizer = mlstm::optimizer::adamw(stack, 0.5f);
    state.set_threads(2);
    mlstm::forward(stack, state, std::vector<float>(24, 0.5f), 4);
    mlstm::backward(stack, state, std::vector<float>(12, 1), grads);
    if (on_threads)
        state.apply(optimizer, stack, grads);
    else
        optimizer.apply(stack, grads);
    std::vector<float> all;
    for (const mlstm::param &param : stack.params()) {
        std::vector<float> values(param.count());
        stack.get_param(param.name, values);
        all.insert(all.end(), values.begin(), values.end());
    }
    return all;
}

void test_optimizers()
{
    mlstm::stack stack = create_stack();
    mlstm::grads grads(stack);
    grads.set_param("readout.bias", std::vector<float>{1, -1});
    using mlstm::optimizer;
    optimizer all[] = {optimizer::sgd(stack, 0.5f, 0.5f, true),
                       optimizer::adagrad(stack, 0.5f),
                       optimizer::rmsprop(stack, 0.5f, 0.9f, 0, 1e-10f, true),
                       optimizer::adam(stack, 0.5f),
                       optimizer::adamw(stack, 0.5f),
                       optimizer::amsgrad(stack, 0.5f),
                       optimizer::nadam(stack, 0.5f),
                       optimizer::lion(stack, 0.5f)};
    std::string slots;
    for (optimizer &each : all) {
        stack.init(MLSTM_ZEROS, 0);
        each.set_step_count(7);
        each.apply(stack, grads);
        float bias[2];
        stack.get_param("readout.bias", bias);
        expect(bias[0] < 0 && bias[1] == -bias[0] && each.step_count() == 8, "no descent");
        for (const std::string &slot : each.slots())
            slots += slot + ' ';
    }
    expect(slots == "momentum accumulator rms momentum mg exp_avg exp_avg_sq exp_avg exp_avg_sq "
                    "exp_avg exp_avg_sq max_exp_avg_sq exp_avg exp_avg_sq exp_avg ",
           "slots: " + slots);
    expect(update_once(true) == update_once(false), "an update on threads is another");
}

void test_losses()
{
    const float outputs[] = {0, 3}, targets[] = {0, 1};
    const std::int32_t labels[] = {1, -1};
    const float logits[] = {0, 0, 5, 9}, weights[] = {2, 3};
    float gradient[2], dlogits[4];
    const auto near = [](float a, float b) { return std::fabs(a - b) < 1e-6f; };
    expect(mlstm::absolute_error(outputs, targets, gradient) == 1 && gradient[1] == 0.5f,
           "absolute error");
    expect(mlstm::huber_loss(outputs, targets, 1, {}) == 0.75f, "Huber's loss");
    expect(near(mlstm::sigmoid_cross_entropy({outputs, 1}, {targets + 1, 1}, {gradient, 1}),
                std::log(2.0f)) &&
               gradient[0] == -0.5f,
           "sigmoid cross entropy");
    expect(near(mlstm::softmax_cross_entropy_weighted(logits, labels, weights, 2, -1, 0, {},
                                                      dlogits),
                2 * std::log(2.0f)) &&
               dlogits[0] == 1 && dlogits[2] == 0,
           "weighted softmax cross entropy");
    float p[] = {0, 0, 5, 5 + std::log(3.0f)};
    mlstm::softmax(p, 2, p);
    expect(near(p[0], 0.5f) && near(p[1], 0.5f) && near(p[2], 0.25f) && near(p[3], 0.75f),
           "softmax in place");
    expect_error(MLSTM_ERROR_MISMATCH, "logits", [&] { mlstm::softmax(logits, 3, p); });
    expect_error(MLSTM_ERROR_MISMATCH, "probabilities",
                 [&] { mlstm::softmax(logits, 2, {p, 2}); });
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "got -2", [&] { mlstm::softmax(logits, -2, p); });
    expect_error(MLSTM_ERROR_INVALID_ARGUMENT, "probabilities",
                 [&] { mlstm::softmax(logits, 2, {}); });
    expect_error(MLSTM_ERROR_MISMATCH, "targets",
                 [&] { mlstm::absolute_error(outputs, {targets, 1}, {}); });
}

void test_weighted_losses()
{
    const float outputs[] = {0, 3}, targets[] = {0, 1}, ones[] = {1, 1}, weights[] = {0, 2};
    float plain[2], gradient[2];
    const float losses[] = {mlstm::squared_error(outputs, targets, {}),
                            mlstm::absolute_error(outputs, targets, {}),
                            mlstm::huber_loss(outputs, targets, 0.5f, {}),
                            mlstm::sigmoid_cross_entropy(outputs, targets, plain)};
    for (int kind = 0; kind < 4; kind++)
        expect(std::fabs(mlstm::weighted_loss(static_cast<mlstm_loss>(kind), outputs, targets, ones,
                                              1, 0.5f, gradient) -
                         losses[kind]) < 1e-6f,
               "weights of 1, loss " + std::to_string(kind));
    expect(std::fabs(gradient[0] - plain[0]) < 1e-6f && std::fabs(gradient[1] - plain[1]) < 1e-6f,
           "gradient with weights of 1");
    expect(mlstm::weighted_loss(MLSTM_ABSOLUTE_ERROR, outputs, targets, weights, 1, 0, gradient) ==
                   4 &&
               gradient[0] == 0 && gradient[1] == 2,
           "a weight of 0");
    expect_error(MLSTM_ERROR_MISMATCH, "outputs", [&] {
        mlstm::weighted_loss(MLSTM_ABSOLUTE_ERROR, {outputs, 1}, targets, ones, 1, 0, {});
    });
}

/* One stack, a state for each thread. */
void test_threads(const golden_file &golden)
{
    mlstm::stack stack = create_stack();
    set_params(stack, golden, "initial_params/");
    std::vector<float> norms(4);
    std::vector<std::thread> threads;
    for (float &norm : norms)
        threads.emplace_back([&] {
            mlstm::state state(stack, B, T);
            mlstm::grads grads(stack);
            float dlogits[T * B * O];
            for (int i = 0; i < 200; i++) {
                state.zero();
                expect_loss(golden, 0, forward(stack, state, golden, 0, dlogits), 1e-6f);
                grads.zero();
                mlstm::backward(stack, state, dlogits, grads);
            }
            norm = grads.norm();
        });
    for (std::thread &thread : threads)
        thread.join();
    for (float norm : norms)
        expect(norm > 0 && norm == norms[0], "threads disagree");
}

long resident_bytes()
{
    long size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

void create_and_free()
{
    mlstm::stack stack = create_stack();
    mlstm::state state(stack, B, T);
    mlstm::grads grads(stack);
    mlstm::optimizer optimizer = mlstm::optimizer::adagrad(stack, 0.3f);
    mlstm::cell unused(1, 1);
}

void test_memory()
{
    for (int i = 0; i < 1000; i++)
        create_and_free();
    const long before = resident_bytes();
    for (int i = 0; i < 10000; i++)
        create_and_free();
    const long growth = resident_bytes() - before;
    expect(before > 0 && growth < 1000000, "memory grew by " + std::to_string(growth) + " bytes");
}

} // namespace

int main(int, char **argv)
{
    const golden_file golden = read_golden(argv[1]);
    test_golden(golden);
    test_errors();
    test_ownership();
    test_options();
    test_training();
    test_optimizers();
    test_losses();
    test_weighted_losses();
    test_threads(golden);
    test_memory();
}
