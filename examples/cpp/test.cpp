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
    test_threads(golden);
    test_memory();
}
