/* SPDX-License-Identifier: MIT */

/*
 * oneDNN, release 2 or 3: the LSTM primitives, in the formats that they choose. Weights for
 * inference are reordered once, weights for training once a window, as an update would ask for. The
 * update itself, a reorder of gradients and a state to carry on are left out in its favour.
 */

#include "bench.h"

#include <dnnl.hpp>

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
constexpr auto one_way = dnnl::rnn_direction::unidirectional_left2right;

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

/* Descriptions of what an LSTM primitive takes. */
struct shapes {
    memory::desc src, src_iter, weights_layer, weights_iter, bias, dst, dst_iter;
};

#if DNNL_VERSION_MAJOR >= 3
lstm_forward::primitive_desc describe_forward(dnnl::prop_kind kind, const shapes &s)
{
    return {engine,          kind,           one_way, s.src, s.src_iter, s.src_iter,
            s.weights_layer, s.weights_iter, s.bias,  s.dst, s.dst_iter, s.dst_iter};
}
lstm_backward::primitive_desc describe_backward(const shapes &s, const shapes &any,
                                                const lstm_forward::primitive_desc &forward)
{
    return {engine,
            dnnl::prop_kind::backward,
            one_way,
            s.src,
            s.src_iter,
            s.src_iter,
            any.weights_layer,
            any.weights_iter,
            s.bias,
            s.dst,
            s.dst_iter,
            s.dst_iter,
            s.src,
            s.src_iter,
            s.src_iter,
            any.weights_layer,
            any.weights_iter,
            s.bias,
            s.dst,
            s.dst_iter,
            s.dst_iter,
            forward};
}
#else
lstm_forward::primitive_desc describe_forward(dnnl::prop_kind kind, const shapes &s)
{
    return {lstm_forward::desc(kind, one_way, s.src, s.src_iter, s.src_iter, s.weights_layer,
                               s.weights_iter, s.bias, s.dst, s.dst_iter, s.dst_iter),
            engine};
}
lstm_backward::primitive_desc describe_backward(const shapes &s, const shapes &any,
                                                const lstm_forward::primitive_desc &forward)
{
    return {lstm_backward::desc(dnnl::prop_kind::backward, one_way, s.src, s.src_iter, s.src_iter,
                                any.weights_layer, any.weights_iter, s.bias, s.dst, s.dst_iter,
                                s.dst_iter, s.src, s.src_iter, s.src_iter, any.weights_layer,
                                any.weights_iter, s.bias, s.dst, s.dst_iter, s.dst_iter),
            engine, forward};
}
#endif

/* Some layers, all with the same sizes, in one primitive; forward and, for training, backward. */
struct part {
    int first, layers, input;
    memory user_layer, user_iter, bias;
    weight layer, iter, layer_back, iter_back;
    memory diff_layer, diff_iter, diff_bias, diff_src, dst, workspace;
    lstm_forward forward;
    lstm_backward backward;
    arguments forward_arguments, backward_arguments, other_step_arguments;

    part(const bench_work &work, int first_layer, int layer_count, const memory &src,
         const memory *diff_dst, bench_kind kind);
    void fill(const bench_work &work);
};

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

void part::fill(const bench_work &work)
{
    size_t hidden = static_cast<size_t>(work.hidden), in = static_cast<size_t>(input);
    for (int l = 0; l < layers; l++) {
        size_t at = static_cast<size_t>(l) * 4 * hidden;
        const float *kernel = work.kernel[first + l];
        permute(kernel, floats(user_layer) + at * in, in, hidden, 0);
        permute(kernel + in * 4 * hidden, floats(user_iter) + at * hidden, hidden, hidden, 0);
        permute(work.bias[first + l], floats(bias) + at, 1, hidden, 1);
    }
}

part::part(const bench_work &work, int first_layer, int layer_count, const memory &src,
           const memory *diff_dst, bench_kind kind)
    : first(first_layer), layers(layer_count), input(first ? work.hidden : work.input)
{
    bool streams = kind == BENCH_STREAM;
    memory::dim L = layers, T = streams ? 1 : work.steps, B = work.batch, I = input,
                H = work.hidden;
    shapes s, any;
    s.src = describe({T, B, I}, tag::tnc);
    s.dst = describe({T, B, H}, tag::tnc);
    if (streams)
        s.dst_iter = describe({L, 1, B, H}, tag::ldnc);
    /* Without a first state the gradient of the recurrent weights of the top layer is wrong. */
    if (streams || kind == BENCH_TRAIN)
        s.src_iter = describe({L, 1, B, H}, tag::ldnc);
    s.weights_layer = describe({L, 1, I, 4, H}, tag::ldigo);
    s.weights_iter = describe({L, 1, H, 4, H}, tag::ldigo);
    s.bias = describe({L, 1, 4, H}, tag::ldgo);
    any = s;
    any.weights_layer = describe({L, 1, I, 4, H}, tag::any);
    any.weights_iter = describe({L, 1, H, 4, H}, tag::any);

    user_layer = make(s.weights_layer);
    user_iter = make(s.weights_iter);
    bias = make(s.bias);
    dst = make(s.dst);
    fill(work);
    auto forward_kind = kind == BENCH_TRAIN ? dnnl::prop_kind::forward_training
                                            : dnnl::prop_kind::forward_inference;
    auto forward_desc = describe_forward(forward_kind, any);
    forward = lstm_forward(forward_desc);
    layer = weight(user_layer, forward_desc.weights_layer_desc());
    iter = weight(user_iter, forward_desc.weights_iter_desc());
    layer.refresh();
    iter.refresh();
    forward_arguments = {{DNNL_ARG_SRC_LAYER, src},
                         {DNNL_ARG_WEIGHTS_LAYER, layer.packed},
                         {DNNL_ARG_WEIGHTS_ITER, iter.packed},
                         {DNNL_ARG_BIAS, bias},
                         {DNNL_ARG_DST_LAYER, dst}};
    if (streams) {
        memory h[2] = {make(s.src_iter), make(s.src_iter)};
        memory c[2] = {make(s.src_iter), make(s.src_iter)};
        other_step_arguments = forward_arguments;
        for (int other = 0; other < 2; other++) {
            arguments &step = other ? other_step_arguments : forward_arguments;
            step.insert({{DNNL_ARG_SRC_ITER, h[other]},
                         {DNNL_ARG_SRC_ITER_C, c[other]},
                         {DNNL_ARG_DST_ITER, h[!other]},
                         {DNNL_ARG_DST_ITER_C, c[!other]}});
        }
    }
    if (kind != BENCH_TRAIN)
        return;

    memory first_h = make(s.src_iter), first_c = make(s.src_iter);
    forward_arguments.insert({{DNNL_ARG_SRC_ITER, first_h}, {DNNL_ARG_SRC_ITER_C, first_c}});
    workspace = make(forward_desc.workspace_desc());
    forward_arguments.insert({DNNL_ARG_WORKSPACE, workspace});
    auto backward_desc = describe_backward(s, any, forward_desc);
    backward = lstm_backward(backward_desc);
    layer_back = weight(user_layer, backward_desc.weights_layer_desc());
    iter_back = weight(user_iter, backward_desc.weights_iter_desc());
    diff_layer = make(backward_desc.diff_weights_layer_desc());
    diff_iter = make(backward_desc.diff_weights_iter_desc());
    diff_bias = make(s.bias);
    diff_src = make(s.src);
    backward_arguments = {{DNNL_ARG_SRC_LAYER, src},
                          {DNNL_ARG_WEIGHTS_LAYER, layer_back.packed},
                          {DNNL_ARG_WEIGHTS_ITER, iter_back.packed},
                          {DNNL_ARG_BIAS, bias},
                          {DNNL_ARG_DST_LAYER, dst},
                          {DNNL_ARG_WORKSPACE, workspace},
                          {DNNL_ARG_SRC_ITER, first_h},
                          {DNNL_ARG_SRC_ITER_C, first_c},
                          {DNNL_ARG_DIFF_SRC_ITER, make(s.src_iter)},
                          {DNNL_ARG_DIFF_SRC_ITER_C, make(s.src_iter)},
                          {DNNL_ARG_DIFF_SRC_LAYER, diff_src},
                          {DNNL_ARG_DIFF_WEIGHTS_LAYER, diff_layer},
                          {DNNL_ARG_DIFF_WEIGHTS_ITER, diff_iter},
                          {DNNL_ARG_DIFF_BIAS, diff_bias},
                          {DNNL_ARG_DIFF_DST_LAYER, *diff_dst}};
}

const bench_work *work;
bench_kind kind;
std::vector<std::unique_ptr<part>> parts; /* bottom first */
memory input, top_grad;
int32_t at;

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
    top_grad = make(describe({T, B, work->hidden}, tag::tnc));
    std::memcpy(floats(input), work->x, input.get_desc().get_size());
    if (kind == BENCH_TRAIN)
        std::memcpy(floats(top_grad), work->dh, top_grad.get_desc().get_size());
    int bottom = work->input == work->hidden ? work->layers : 1;
    memory src = input;
    for (int first = 0; first < work->layers; first += bottom, bottom = work->layers - 1) {
        parts.push_back(std::make_unique<part>(*work, first, bottom, src, &top_grad, kind));
        src = parts.back()->dst;
    }
    for (size_t p = 0; p + 1 < parts.size(); p++)
        if (kind == BENCH_TRAIN)
            parts[p]->backward_arguments[DNNL_ARG_DIFF_DST_LAYER] = parts[p + 1]->diff_src;
}

void train()
{
    for (auto &p : parts) {
        p->layer.refresh();
        p->iter.refresh();
        p->forward.execute(stream, p->forward_arguments);
    }
    for (size_t i = parts.size(); i--;) {
        part &p = *parts[i];
        p.layer_back.refresh();
        p.iter_back.refresh();
        zero(p.diff_layer); /* the primitive adds to them */
        zero(p.diff_iter);
        zero(p.diff_bias);
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

/* The gradient of one weight, back in the canonical order, from whatever format it is in. */
memory plain(memory &of, const memory::dims &dims)
{
    memory made = make(describe(dims, tag::ldigo));
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
    size_t hidden = static_cast<size_t>(work->hidden), in = static_cast<size_t>(p.input);
    memory layer = plain(p.diff_layer, {p.layers, 1, p.input, 4, work->hidden});
    memory iter = plain(p.diff_iter, {p.layers, 1, work->hidden, 4, work->hidden});
    for (size_t l = 0; l < static_cast<size_t>(p.layers); l++) {
        put_permuted(floats(layer) + l * in * 4 * hidden, in, hidden);
        put_permuted(floats(iter) + l * hidden * 4 * hidden, hidden, hidden);
        put_permuted(floats(p.diff_bias) + l * 4 * hidden, 1, hidden);
    }
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
    if (kind == BENCH_ECHO || kind == BENCH_SGEMM)
        return -1;
    build();
    return 0;
}

size_t bench_bytes(void)
{
    size_t bytes = 0;
    for (auto &p : parts)
        if (kind == BENCH_TRAIN)
            bytes += p->workspace.get_desc().get_size() + p->dst.get_desc().get_size();
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
