/* SPDX-License-Identifier: MIT */

/*
 * oneDNN, release 2 or 3: the LSTM primitives, in the formats that they choose. Weights for
 * inference are reordered once, weights for training once a window, as an update would ask for. The
 * update itself, a reorder of gradients and a state to carry on are left out in its favour.
 */

#include "bench.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

using dnnl::lstm_backward;
using dnnl::lstm_forward;
using dnnl::memory;
using tag = dnnl::memory::format_tag;
using arguments = std::unordered_map<int, memory>;

namespace
{

constexpr auto f32 = memory::data_type::f32;

dnnl::engine engine(dnnl::engine::kind::cpu, 0);
dnnl::stream stream(engine);

memory::desc describe(const memory::dims &dims, tag format)
{
    return {dims, f32, format};
}

memory make(const memory::desc &desc)
{
    memory made(desc, engine);
    std::memset(made.get_data_handle(), 0, desc.get_size());
    return made;
}

float *floats(const memory &of)
{
    return static_cast<float *>(of.get_data_handle());
}

/* A weight as the user has it, and as a primitive wants it. */
struct weight {
    memory user, packed;
    std::unique_ptr<dnnl::reorder> reorder;

    weight() = default;
    weight(const memory &from, const memory::desc &wanted) : user(from), packed(from)
    {
        if (wanted == from.get_desc())
            return;
        packed = make(wanted);
        reorder = std::make_unique<dnnl::reorder>(user, packed);
    }
    void refresh()
    {
        if (reorder)
            reorder->execute(stream, user, packed);
    }
};

/* Descriptions of what an LSTM primitive takes; empty ones for what it has not. */
struct shapes {
    dnnl::rnn_direction way;
    memory::desc src, src_h, src_c, weights_layer, weights_iter, peephole, projection, bias, dst,
        dst_h, dst_c;
};

#if DNNL_VERSION_MAJOR >= 3
lstm_forward::primitive_desc describe_forward(dnnl::prop_kind kind, const shapes &s)
{
    return {engine,         kind,       s.way,        s.src,  s.src_h, s.src_c, s.weights_layer,
            s.weights_iter, s.peephole, s.projection, s.bias, s.dst,   s.dst_h, s.dst_c};
}
lstm_backward::primitive_desc describe_backward(const shapes &s, const shapes &any,
                                                const lstm_forward::primitive_desc &forward)
{
    return {engine,
            dnnl::prop_kind::backward,
            s.way,
            s.src,
            s.src_h,
            s.src_c,
            any.weights_layer,
            any.weights_iter,
            s.peephole,
            any.projection,
            s.bias,
            s.dst,
            s.dst_h,
            s.dst_c,
            s.src,
            s.src_h,
            s.src_c,
            any.weights_layer,
            any.weights_iter,
            s.peephole,
            any.projection,
            s.bias,
            s.dst,
            s.dst_h,
            s.dst_c,
            forward};
}
#else
lstm_forward::primitive_desc describe_forward(dnnl::prop_kind kind, const shapes &s)
{
    return {lstm_forward::desc(kind, s.way, s.src, s.src_h, s.src_c, s.weights_layer,
                               s.weights_iter, s.peephole, s.projection, s.bias, s.dst, s.dst_h,
                               s.dst_c),
            engine};
}
lstm_backward::primitive_desc describe_backward(const shapes &s, const shapes &any,
                                                const lstm_forward::primitive_desc &forward)
{
    return {lstm_backward::desc(dnnl::prop_kind::backward, s.way, s.src, s.src_h, s.src_c,
                                any.weights_layer, any.weights_iter, s.peephole, any.projection,
                                s.bias, s.dst, s.dst_h, s.dst_c, s.src, s.src_h, s.src_c,
                                any.weights_layer, any.weights_iter, s.peephole, any.projection,
                                s.bias, s.dst, s.dst_h, s.dst_c),
            engine, forward};
}
#endif

struct part;

const bench_work *work;
bench_kind kind;
std::vector<std::unique_ptr<part>> parts; /* bottom first */
memory input, top_grad;
int32_t at;

/* Some layers, all with the same sizes, in one primitive; forward and, for training, backward. */
struct part {
    int layers, input;
    memory user_layer, user_iter, user_projection, peephole, bias;
    weight layer, iter, projection, layer_back, iter_back, projection_back;
    memory diff_layer, diff_iter, diff_projection, diff_peephole, diff_bias, diff_src, dst;
    lstm_forward::primitive_desc forward_desc;
    lstm_forward forward;
    lstm_backward backward;
    arguments forward_arguments, backward_arguments, other_step_arguments;

    part(int layer_count, int input_size, const memory &src, const float **parameters);
    void fill(const float **parameters);
    void make_forward(const memory &src);
    void make_steps(const shapes &s);
    void make_backward(const shapes &s);
    void refresh_forward();
    void refresh_backward();
};

bool is(const char *variant)
{
    return std::strcmp(work->variant, variant) == 0;
}

/* How many directions there are. */
int directions()
{
    return is("concat") || is("sum") ? 2 : 1;
}

/* How many numbers h has. */
int recurrent()
{
    return is("projection") ? work->hidden / 2 : work->hidden;
}

/* How many numbers a layer gives. */
int outputs()
{
    return is("concat") ? 2 * work->hidden : recurrent();
}

/* From [rows, i j f o, H] to oneDNN's [rows, i f j o, H]; the forget bias goes into the bias. */
void permute(const float *from, float *to, size_t rows, size_t hidden, float forget_bias)
{
    static const size_t order[4] = {0, 2, 1, 3};
    for (size_t r = 0; r < rows; r++)
        for (size_t g = 0; g < 4; g++)
            for (size_t h = 0; h < hidden; h++)
                to[(r * 4 + g) * hidden + h] =
                    from[(r * 4 + order[g]) * hidden + h] + (g == 1 ? forget_bias : 0);
}

/* Takes the parameters of this part from a file that has those of all layers. */
void part::fill(const float **parameters)
{
    size_t H = static_cast<size_t>(work->hidden), I = static_cast<size_t>(input);
    size_t P = static_cast<size_t>(recurrent());
    auto take = [parameters](size_t count) {
        *parameters += count;
        return *parameters - count;
    };
    for (size_t one = 0; one < static_cast<size_t>(layers * directions()); one++) {
        permute(take(I * 4 * H), floats(user_layer) + one * I * 4 * H, I, H, 0);
        permute(take(P * 4 * H), floats(user_iter) + one * P * 4 * H, P, H, 0);
        permute(take(4 * H), floats(bias) + one * 4 * H, 1, H, 1);
        if (peephole)
            std::copy_n(take(3 * H), 3 * H, floats(peephole) + one * 3 * H);
        if (user_projection)
            std::copy_n(take(H * P), H * P, floats(user_projection) + one * H * P);
    }
}

dnnl::rnn_direction direction()
{
    return is("concat") ? dnnl::rnn_direction::bidirectional_concat
           : is("sum")  ? dnnl::rnn_direction::bidirectional_sum
                        : dnnl::rnn_direction::unidirectional_left2right;
}

/* The shapes of some layers; weights in the formats of the file, or in any that the primitive wants. */
shapes describe_part(memory::dim L, memory::dim I, bool any)
{
    bool streams = kind == BENCH_STREAM;
    memory::dim T = streams ? 1 : work->steps, B = work->batch, H = work->hidden;
    memory::dim D = directions(), P = recurrent();
    shapes s;
    s.way = direction();
    s.src = describe({T, B, I}, tag::tnc);
    s.dst = describe({T, B, outputs()}, tag::tnc);
    if (streams) {
        s.dst_h = describe({L, D, B, P}, tag::ldnc);
        s.dst_c = describe({L, D, B, H}, tag::ldnc);
    }
    /* Without a first state the gradient of the recurrent weights of the top layer is wrong. */
    if (streams || kind == BENCH_TRAIN) {
        s.src_h = describe({L, D, B, P}, tag::ldnc);
        s.src_c = describe({L, D, B, H}, tag::ldnc);
    }
    s.weights_layer = describe({L, D, I, 4, H}, any ? tag::any : tag::ldigo);
    s.weights_iter = describe({L, D, P, 4, H}, any ? tag::any : tag::ldigo);
    s.bias = describe({L, D, 4, H}, tag::ldgo);
    if (is("peepholes"))
        s.peephole = describe({L, D, 3, H}, tag::ldgo);
    if (is("projection"))
        s.projection = describe({L, D, H, P}, any ? tag::any : tag::ldio);
    return s;
}

part::part(int layer_count, int input_size, const memory &src, const float **parameters)
    : layers(layer_count), input(input_size)
{
    shapes s = describe_part(layers, input, false);
    user_layer = make(s.weights_layer);
    user_iter = make(s.weights_iter);
    bias = make(s.bias);
    dst = make(s.dst);
    if (is("peepholes"))
        peephole = make(s.peephole);
    if (is("projection"))
        user_projection = make(s.projection);
    fill(parameters);
    make_forward(src);
    if (kind == BENCH_STREAM)
        make_steps(s);
    if (kind == BENCH_TRAIN)
        make_backward(s);
}

void part::make_forward(const memory &src)
{
    auto forward_kind = kind == BENCH_TRAIN ? dnnl::prop_kind::forward_training
                                            : dnnl::prop_kind::forward_inference;
    forward_desc = describe_forward(forward_kind, describe_part(layers, input, true));
    forward = lstm_forward(forward_desc);
    layer = weight(user_layer, forward_desc.weights_layer_desc());
    iter = weight(user_iter, forward_desc.weights_iter_desc());
    forward_arguments = {{DNNL_ARG_SRC_LAYER, src},
                         {DNNL_ARG_WEIGHTS_LAYER, layer.packed},
                         {DNNL_ARG_WEIGHTS_ITER, iter.packed},
                         {DNNL_ARG_BIAS, bias},
                         {DNNL_ARG_DST_LAYER, dst}};
    if (peephole)
        forward_arguments.insert({DNNL_ARG_WEIGHTS_PEEPHOLE, peephole});
    if (user_projection) {
        projection = weight(user_projection, forward_desc.weights_projection_desc());
        forward_arguments.insert({DNNL_ARG_WEIGHTS_PROJECTION, projection.packed});
    }
    refresh_forward();
}

/* Two sets of arguments: the state after a step is the one before the other. */
void part::make_steps(const shapes &s)
{
    memory h[2] = {make(s.src_h), make(s.src_h)};
    memory c[2] = {make(s.src_c), make(s.src_c)};
    other_step_arguments = forward_arguments;
    for (int other = 0; other < 2; other++) {
        arguments &step = other ? other_step_arguments : forward_arguments;
        step.insert({{DNNL_ARG_SRC_ITER, h[other]},
                     {DNNL_ARG_SRC_ITER_C, c[other]},
                     {DNNL_ARG_DST_ITER, h[!other]},
                     {DNNL_ARG_DST_ITER_C, c[!other]}});
    }
}

void part::make_backward(const shapes &s)
{
    forward_arguments.insert({{DNNL_ARG_SRC_ITER, make(s.src_h)},
                              {DNNL_ARG_SRC_ITER_C, make(s.src_c)},
                              {DNNL_ARG_WORKSPACE, make(forward_desc.workspace_desc())}});
    auto desc = describe_backward(s, describe_part(layers, input, true), forward_desc);
    backward = lstm_backward(desc);
    layer_back = weight(user_layer, desc.weights_layer_desc());
    iter_back = weight(user_iter, desc.weights_iter_desc());
    diff_layer = make(desc.diff_weights_layer_desc());
    diff_iter = make(desc.diff_weights_iter_desc());
    diff_bias = make(s.bias);
    diff_src = make(s.src);
    backward_arguments = forward_arguments;
    backward_arguments[DNNL_ARG_WEIGHTS_LAYER] = layer_back.packed;
    backward_arguments[DNNL_ARG_WEIGHTS_ITER] = iter_back.packed;
    backward_arguments.insert({{DNNL_ARG_DIFF_SRC_ITER, make(s.src_h)},
                               {DNNL_ARG_DIFF_SRC_ITER_C, make(s.src_c)},
                               {DNNL_ARG_DIFF_SRC_LAYER, diff_src},
                               {DNNL_ARG_DIFF_WEIGHTS_LAYER, diff_layer},
                               {DNNL_ARG_DIFF_WEIGHTS_ITER, diff_iter},
                               {DNNL_ARG_DIFF_BIAS, diff_bias},
                               {DNNL_ARG_DIFF_DST_LAYER, top_grad}});
    if (peephole) {
        diff_peephole = make(s.peephole);
        backward_arguments.insert({DNNL_ARG_DIFF_WEIGHTS_PEEPHOLE, diff_peephole});
    }
    if (user_projection) {
        projection_back = weight(user_projection, desc.weights_projection_desc());
        diff_projection = make(desc.diff_weights_projection_desc());
        backward_arguments[DNNL_ARG_WEIGHTS_PROJECTION] = projection_back.packed;
        backward_arguments.insert({DNNL_ARG_DIFF_WEIGHTS_PROJECTION, diff_projection});
    }
}

void part::refresh_forward()
{
    layer.refresh();
    iter.refresh();
    projection.refresh();
}

void part::refresh_backward()
{
    layer_back.refresh();
    iter_back.refresh();
    projection_back.refresh();
}

void zero(const memory &of)
{
    std::memset(of.get_data_handle(), 0, of.get_desc().get_size());
}

/* Layers of equal input and hidden size share a primitive. The backward pass runs from the top, so
 * the gradients with respect to a part's output are those that the part above will write. */
void build()
{
    parts.clear();
    at = 0;
    memory::dim T = kind == BENCH_STREAM ? 1 : work->steps, B = work->batch;
    input = make(describe({T, B, work->input}, tag::tnc));
    top_grad = make(describe({T, B, outputs()}, tag::tnc));
    std::memcpy(floats(input), work->x, input.get_desc().get_size());
    if (kind == BENCH_TRAIN)
        std::memcpy(floats(top_grad), work->dh, top_grad.get_desc().get_size());
    int bottom = work->input == outputs() ? work->layers : 1;
    memory src = input;
    const float *parameters = work->parameters;
    for (int first = 0; first < work->layers; first += bottom, bottom = work->layers - 1) {
        int size = first ? outputs() : work->input;
        parts.push_back(std::make_unique<part>(bottom, size, src, &parameters));
        src = parts.back()->dst;
    }
    if (parameters != work->readout_c)
        bench_die("%s: the file has other parameters", work->variant);
    for (size_t p = 0; p + 1 < parts.size(); p++)
        if (kind == BENCH_TRAIN)
            parts[p]->backward_arguments[DNNL_ARG_DIFF_DST_LAYER] = parts[p + 1]->diff_src;
}

void train()
{
    for (auto &p : parts) {
        p->refresh_forward();
        p->forward.execute(stream, p->forward_arguments);
    }
    for (size_t i = parts.size(); i--;) {
        part &p = *parts[i];
        p.refresh_backward();
        for (memory *diff : {&p.diff_layer, &p.diff_iter, &p.diff_projection, &p.diff_peephole,
                             &p.diff_bias}) /* the primitive adds to them */
            if (*diff)
                zero(*diff);
        p.backward.execute(stream, p.backward_arguments);
    }
    stream.wait();
}

void infer()
{
    for (auto &p : parts)
        p->forward.execute(stream, p->forward_arguments);
    stream.wait();
}

void step()
{
    size_t size = static_cast<size_t>(work->input);
    std::memcpy(floats(input), work->x + static_cast<size_t>(at) * size, size * sizeof(float));
    for (auto &p : parts)
        p->forward.execute(stream, at % 2 ? p->other_step_arguments : p->forward_arguments);
    stream.wait();
    at = at + 1 < work->steps ? at + 1 : 0;
}

/* The gradient of one weight, back in the file's order, from whatever format it is in. */
memory plain(memory &of, const memory::desc &desc)
{
    memory made = make(desc);
    dnnl::reorder(of, made).execute(stream, of, made);
    stream.wait();
    return made;
}

void put_permuted(const float *from, size_t rows, size_t hidden)
{
    std::vector<float> to(rows * 4 * hidden);
    permute(from, to.data(), rows, hidden, 0);
    bench_put(to.data(), to.size());
}

void put_gradients(part &p)
{
    size_t H = static_cast<size_t>(work->hidden), I = static_cast<size_t>(p.input);
    size_t P = static_cast<size_t>(recurrent());
    shapes s = describe_part(p.layers, p.input, false);
    memory layer = plain(p.diff_layer, s.weights_layer), iter = plain(p.diff_iter, s.weights_iter);
    memory projection = p.diff_projection ? plain(p.diff_projection, s.projection) : memory();
    for (size_t one = 0; one < static_cast<size_t>(p.layers * directions()); one++) {
        put_permuted(floats(layer) + one * I * 4 * H, I, H);
        put_permuted(floats(iter) + one * P * 4 * H, P, H);
        put_permuted(floats(p.diff_bias) + one * 4 * H, 1, H);
        if (p.diff_peephole)
            bench_put(floats(p.diff_peephole) + one * 3 * H, 3 * H);
        if (p.diff_projection)
            bench_put(floats(projection) + one * H * P, H * P);
    }
}

bool knows_variant()
{
    for (const char *variant : {"", "peepholes", "projection", "concat", "sum"})
        if (is(variant))
            return true;
    return false;
}

} // namespace

const char *bench_name(void)
{
    static const dnnl_version_t *version = dnnl_version();
    static const std::string name = "oneDNN " + std::to_string(version->major) + "." +
                                    std::to_string(version->minor) + "." +
                                    std::to_string(version->patch);
    return name.c_str();
}

int bench_prepare(bench_kind new_kind, const bench_work *new_work, int)
{
    kind = new_kind;
    work = new_work;
    if (kind == BENCH_ECHO || kind == BENCH_SGEMM || !knows_variant())
        return -1;
    build();
    return 0;
}

size_t bench_bytes(void)
{
    size_t bytes = 0;
    for (auto &p : parts)
        if (kind == BENCH_TRAIN)
            bytes += p->forward_desc.workspace_desc().get_size() + p->dst.get_desc().get_size();
    return bytes;
}

void bench_run(long count)
{
    while (count--) {
        if (kind == BENCH_TRAIN)
            train();
        if (kind == BENCH_INFER)
            infer();
        if (kind == BENCH_STREAM)
            step();
    }
}

void bench_check(void)
{
    const memory &top = parts.back()->dst;
    size_t count = top.get_desc().get_size() / sizeof(float);
    if (kind == BENCH_STREAM) {
        for (int32_t t = 0; t < work->steps; t++) {
            step();
            bench_put(floats(top), count);
        }
        return;
    }
    bench_run(1);
    bench_put(floats(top), count);
    if (kind == BENCH_TRAIN)
        for (auto &p : parts)
            put_gradients(*p);
}
