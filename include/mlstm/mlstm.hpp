/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_MLSTM_HPP
#define MLSTM_MLSTM_HPP

/**
 * @file mlstm.hpp
 * @brief The library for C++11 and later: handles that free themselves, errors as exceptions.
 *
 * Each class holds one handle of the C library and can be moved but not copied. A member does what
 * the C function of the class's and its own name does, as mlstm::state::zero() is
 * ::mlstm_state_zero, or says which other one; the C headers say what that is. Include
 * `<mlstm/mlstm.hpp>` in place of `<mlstm/mlstm.h>`. Beyond C:
 *
 * - A call that fails throws mlstm::error with the library's sentence.
 * - A function that takes numbers alone, as those of schedule.h, is called as in C.
 * - Arrays are mlstm::span: a `std::vector`, `std::array`, C array or `{pointer, size}` will do.
 *   Nothing is copied. A length that does not fit throws; an empty one stands for the NULL of C.
 * - `handle()` of an object is what C functions take.
 * - An object that was moved from holds NULL, which every call refuses with a sentence.
 * - No exception may leave the two functions of an ::mlstm_allocator.
 */

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if __cplusplus >= 202002L
#include <span>
#endif

#include <mlstm/mlstm.h>

/** The library for C++. */
namespace mlstm
{

#if __cplusplus >= 202002L
template <class T> using span = std::span<T>;
#else
/** A pointer and a length: as much of C++20's `std::span`, which it is there, as is needed here. */
template <class T> class span
{
    /** @cond */
public:
    span() noexcept = default;
    span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

    template <std::size_t N> span(T (&array)[N]) noexcept : data_(array), size_(N) {}

    /** Anything with `data()` and `size()`. */
    template <class Container, class = typename std::enable_if<std::is_convertible<
                                   decltype(std::declval<Container &>().data()), T *>::value>::type>
    span(Container &&container) : data_(container.data()), size_(container.size())
    {
    }

    T *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T *begin() const noexcept { return data_; }
    T *end() const noexcept { return data_ + size_; }
    T &operator[](std::size_t index) const { return data_[index]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
    /** @endcond */
};
#endif

/** A call that failed; what() is the library's sentence. */
class error : public std::runtime_error
{
public:
    /** Keeps both. */
    error(mlstm_status status, const std::string &sentence)
        : std::runtime_error(sentence), status_(status)
    {
    }

    /** One of ::mlstm_status_code. */
    mlstm_status status() const noexcept { return status_; }

private:
    mlstm_status status_;
};

/** Not part of the interface. */
namespace detail
{

inline void check(mlstm_status status)
{
    if (status != MLSTM_OK)
        throw error(status, mlstm_last_error());
}

template <class T> T *pointer(span<T> values) noexcept
{
    return values.size() ? values.data() : nullptr;
}

/** What has no size, such as the arrays of a NULL handle or of no steps, is left to the library. */
template <class T> void check_size(const char *name, span<T> values, std::size_t size)
{
    if (size && values.size() && values.size() != size)
        throw error(MLSTM_ERROR_MISMATCH, std::string(name) + " should have " +
                                              std::to_string(size) + " numbers, got " +
                                              std::to_string(values.size()));
}

/** The largest size where the product is no size, which no array has. */
inline std::size_t product(std::size_t a, std::size_t b) noexcept
{
    const std::size_t most = std::numeric_limits<std::size_t>::max();
    return b && a > most / b ? most : a * b;
}

/** 0 where one of them is negative, as what has no size. */
inline std::size_t product(std::int32_t a, std::int32_t b, std::int32_t c = 1) noexcept
{
    if (a < 0 || b < 0 || c < 0)
        return 0;
    return product(product(static_cast<std::size_t>(a), static_cast<std::size_t>(b)),
                   static_cast<std::size_t>(c));
}

/** How many numbers c and h have. */
struct counts {
    std::size_t c, h;
};

/** In a layer, over all rows and directions. */
inline counts layer_counts(const mlstm_cell *cell, std::int32_t batch) noexcept
{
    const std::int32_t hidden = mlstm_cell_hidden_size(cell), p = mlstm_cell_projection(cell);
    const std::int32_t directions = mlstm_cell_bidirectional(cell) ? 2 : 1;
    return {product(directions, batch, hidden), product(directions, batch, p ? p : hidden)};
}

/** What the top layer gives, over all rows of all steps. */
inline counts top_counts(const mlstm_stack *stack, std::int32_t batch, std::int32_t steps) noexcept
{
    const mlstm_cell *top = mlstm_stack_cell(stack, mlstm_stack_layer_count(stack) - 1);
    const std::size_t rows = product(batch, steps);
    return {product(rows, product(1, mlstm_cell_output_c_size(top))),
            product(rows, product(1, mlstm_cell_output_size(top)))};
}

struct destroyer {
    void operator()(mlstm_cell *cell) const noexcept { mlstm_cell_destroy(cell); }
    void operator()(mlstm_stack *stack) const noexcept { mlstm_stack_destroy(stack); }
    void operator()(mlstm_state *state) const noexcept { mlstm_state_destroy(state); }
    void operator()(mlstm_grads *grads) const noexcept { mlstm_grads_destroy(grads); }
    void operator()(mlstm_optimizer *optimizer) const noexcept
    {
        mlstm_optimizer_destroy(optimizer);
    }
};

/** Owns a handle; `create(arguments..., &handle)` makes it. */
template <class Handle> class owner
{
public:
    /** The handle, for calls of the C library. */
    Handle *handle() noexcept { return handle_.get(); }
    const Handle *handle() const noexcept { return handle_.get(); }

protected:
    template <class Create, class... Arguments>
    explicit owner(Create create, Arguments... arguments)
    {
        Handle *handle = nullptr;
        check(create(arguments..., &handle));
        handle_.reset(handle);
    }

    std::unique_ptr<Handle, destroyer> handle_;
};

} // namespace detail

/** What a cell and a layer of a stack say of themselves (cell.h). */
template <class Self> class cell_getters
{
public:
    std::int32_t input_size() const noexcept { return mlstm_cell_input_size(self()); }
    std::int32_t hidden_size() const noexcept { return mlstm_cell_hidden_size(self()); }
    std::int32_t recurrent_size() const noexcept { return mlstm_cell_recurrent_size(self()); }
    std::int32_t output_size() const noexcept { return mlstm_cell_output_size(self()); }
    std::int32_t output_c_size() const noexcept { return mlstm_cell_output_c_size(self()); }
    float forget_bias() const noexcept { return mlstm_cell_forget_bias(self()); }
    std::int32_t biases() const noexcept { return mlstm_cell_biases(self()); }
    bool peepholes() const noexcept { return mlstm_cell_peepholes(self()) != 0; }
    std::int32_t projection() const noexcept { return mlstm_cell_projection(self()); }
    float projection_clip() const noexcept { return mlstm_cell_projection_clip(self()); }
    float cell_clip() const noexcept { return mlstm_cell_cell_clip(self()); }
    bool coupled() const noexcept { return mlstm_cell_coupled(self()) != 0; }
    std::int32_t norm(float *epsilon = nullptr) const noexcept
    {
        return mlstm_cell_norm(self(), epsilon);
    }
    /** The rates of c and of h. */
    std::pair<float, float> zoneout() const
    {
        std::pair<float, float> rates;
        detail::check(mlstm_cell_zoneout(self(), &rates.first, &rates.second));
        return rates;
    }
    float dropout(std::int32_t *mask = nullptr) const noexcept
    {
        return mlstm_cell_dropout(self(), mask);
    }
    float recurrent_dropout(std::int32_t *what = nullptr,
                            std::int32_t *mask = nullptr) const noexcept
    {
        return mlstm_cell_recurrent_dropout(self(), what, mask);
    }
    std::int32_t skip() const noexcept { return mlstm_cell_skip(self()); }
    std::int32_t bidirectional() const noexcept { return mlstm_cell_bidirectional(self()); }
    bool learned_state() const noexcept { return mlstm_cell_learned_state(self()) != 0; }

private:
    const mlstm_cell *self() const noexcept { return static_cast<const Self *>(this)->handle(); }
};

/** A layer of a stack, to be read as long as that lives. */
class layer_view : public cell_getters<layer_view>
{
public:
    /** Of a cell that lives elsewhere. */
    explicit layer_view(const mlstm_cell *handle) noexcept : handle_(handle) {}
    /** The handle, for calls of the C library. */
    const mlstm_cell *handle() const noexcept { return handle_; }

private:
    const mlstm_cell *handle_;
};

/** One layer, described (cell.h). Options can be chained. */
class cell : public detail::owner<mlstm_cell>, public cell_getters<cell>
{
public:
    cell(std::int32_t input_size, std::int32_t hidden_size)
        : owner(mlstm_cell_create, input_size, hidden_size)
    {
    }
    cell(const mlstm_allocator &allocator, std::int32_t input_size, std::int32_t hidden_size)
        : owner(mlstm_cell_create_with_allocator, &allocator, input_size, hidden_size)
    {
    }

    cell &set_forget_bias(float value) { return set(mlstm_cell_set_forget_bias, value); }
    cell &set_biases(std::int32_t biases) { return set(mlstm_cell_set_biases, biases); }
    cell &set_peepholes(bool peepholes = true)
    {
        return set(mlstm_cell_set_peepholes, std::int32_t{peepholes});
    }
    cell &set_projection(std::int32_t size) { return set(mlstm_cell_set_projection, size); }
    cell &set_projection_clip(float clip) { return set(mlstm_cell_set_projection_clip, clip); }
    cell &set_cell_clip(float clip) { return set(mlstm_cell_set_cell_clip, clip); }
    cell &set_coupled(bool coupled = true)
    {
        return set(mlstm_cell_set_coupled, std::int32_t{coupled});
    }
    cell &set_norm(std::int32_t norm, float epsilon)
    {
        return set(mlstm_cell_set_norm, norm, epsilon);
    }
    cell &set_zoneout(float c_rate, float h_rate)
    {
        return set(mlstm_cell_set_zoneout, c_rate, h_rate);
    }
    cell &set_dropout(float rate, std::int32_t mask = MLSTM_MASK_STEP)
    {
        return set(mlstm_cell_set_dropout, rate, mask);
    }
    cell &set_recurrent_dropout(float rate, std::int32_t what = MLSTM_DROP_HIDDEN,
                                std::int32_t mask = MLSTM_MASK_STEP)
    {
        return set(mlstm_cell_set_recurrent_dropout, rate, what, mask);
    }
    cell &set_skip(std::int32_t skip) { return set(mlstm_cell_set_skip, skip); }
    cell &set_bidirectional(std::int32_t merge = MLSTM_MERGE_CONCAT)
    {
        return set(mlstm_cell_set_bidirectional, merge);
    }
    cell &set_learned_state(bool learned = true)
    {
        return set(mlstm_cell_set_learned_state, std::int32_t{learned});
    }

private:
    friend class stack;
    void release() noexcept { static_cast<void>(handle_.release()); }

    template <class Set, class... Values> cell &set(Set option, Values... values)
    {
        detail::check(option(handle(), values...));
        return *this;
    }
};

/** A parameter's name and shape. */
struct param {
    std::string name;                /**< That of stack::get_param() and all others. */
    std::vector<std::int32_t> shape; /**< One size, or two. */

    /** Numbers in it; 0 without a shape. */
    std::size_t count() const
    {
        if (shape.empty())
            return 0;
        return detail::product(shape[0], shape.size() > 1 ? shape[1] : 1);
    }
};

/** The layers, the readout, and every parameter (stack.h). */
class stack : public detail::owner<mlstm_stack>
{
public:
    /** Takes the cells over, bottom first, and leaves `cells` empty; on failure they stay there. */
    explicit stack(std::vector<cell> &&cells) : stack(handles(cells))
    {
        for (cell &taken : cells)
            taken.release();
        cells.clear();
    }

    void set_readout(std::int32_t outputs, std::int32_t sources)
    {
        detail::check(mlstm_stack_set_readout(handle(), outputs, sources));
    }
    std::int32_t readout() const noexcept { return mlstm_stack_readout(handle()); }
    void init(std::int32_t initializer, std::uint64_t seed)
    {
        detail::check(mlstm_stack_init(handle(), initializer, seed));
    }
    void init_param(const std::string &name, std::int32_t initializer, float a, float b,
                    std::uint64_t seed)
    {
        detail::check(mlstm_stack_init_param(handle(), name.c_str(), initializer, a, b, seed));
    }

    std::int32_t layer_count() const noexcept { return mlstm_stack_layer_count(handle()); }
    std::int32_t input_size() const noexcept { return mlstm_stack_input_size(handle()); }
    std::int32_t output_size() const noexcept { return mlstm_stack_output_size(handle()); }
    /** ::mlstm_stack_cell: the cell of a layer, which the stack owns. */
    layer_view layer(std::int32_t index) const noexcept
    {
        return layer_view(mlstm_stack_cell(handle(), index));
    }

    /**
     * ::mlstm_stack_param_info of all ::mlstm_stack_param_count parameters, from the bottom layer to
     * the readout.
     */
    std::vector<param> params() const
    {
        std::vector<param> all(static_cast<std::size_t>(mlstm_stack_param_count(handle())));
        for (std::size_t i = 0; i < all.size(); i++) {
            const char *name;
            std::int32_t rank, shape[2];
            detail::check(mlstm_stack_param_info(handle(), static_cast<std::int32_t>(i), &name,
                                                 &rank, shape));
            all[i].name = name;
            all[i].shape.assign(shape, shape + rank);
        }
        return all;
    }
    void get_param(const std::string &name, span<float> values) const
    {
        detail::check(
            mlstm_stack_get_param(handle(), name.c_str(), detail::pointer(values), values.size()));
    }
    void set_param(const std::string &name, span<const float> values)
    {
        detail::check(
            mlstm_stack_set_param(handle(), name.c_str(), detail::pointer(values), values.size()));
    }

private:
    explicit stack(const std::vector<mlstm_cell *> &cells)
        : owner(mlstm_stack_create, cells.data(), static_cast<std::int32_t>(cells.size()))
    {
    }

    static std::vector<mlstm_cell *> handles(std::vector<cell> &cells)
    {
        std::vector<mlstm_cell *> pointers;
        for (cell &each : cells)
            pointers.push_back(each.handle());
        return pointers;
    }
};

class grads;
class optimizer;

/** c and h of every layer, and the window that the backward pass walks (state.h). */
class state : public detail::owner<mlstm_state>
{
public:
    state(const stack &model, std::int32_t batch, std::int32_t window)
        : owner(mlstm_state_create, model.handle(), batch, window)
    {
        for (std::int32_t layer = 0; layer < model.layer_count(); layer++)
            layers_.push_back(detail::layer_counts(model.layer(layer).handle(), batch));
        top_ = detail::top_counts(model.handle(), batch, 1);
    }

    void set_threads(std::int32_t threads)
    {
        detail::check(mlstm_state_set_threads(handle(), threads));
    }
    void zero() { detail::check(mlstm_state_zero(handle())); }
    void begin_sequence(const stack &model)
    {
        detail::check(mlstm_state_begin_sequence(model.handle(), handle()));
    }
    void begin_window() { detail::check(mlstm_state_begin_window(handle())); }
    void keep_steps(std::int32_t steps) { detail::check(mlstm_state_keep_steps(handle(), steps)); }
    /** `lengths` are [B], or empty for no end. */
    void set_lengths(span<const std::int32_t> lengths)
    {
        detail::check(mlstm_state_set_lengths(handle(), detail::pointer(lengths), lengths.size()));
    }
    void set_training(bool training, std::uint64_t seed = 0)
    {
        detail::check(mlstm_state_set_training(handle(), training, seed));
    }
    bool training() const noexcept { return mlstm_state_training(handle()) != 0; }

    std::size_t size() const noexcept { return mlstm_state_size(handle()); }
    std::int32_t batch() const noexcept { return mlstm_state_batch(handle()); }
    std::int32_t window() const noexcept { return mlstm_state_window(handle()); }
    std::int32_t steps() const noexcept { return mlstm_state_steps(handle()); }
    std::int32_t threads() const noexcept { return mlstm_state_threads(handle()); }
    std::size_t bytes() const noexcept { return mlstm_state_bytes(handle()); }

    /** `values` is [L,2,B,H]. */
    void set(span<const float> values)
    {
        detail::check(mlstm_state_set(handle(), detail::pointer(values), values.size()));
    }
    /** `values` is [L,2,B,H]. */
    void get(span<float> values) const
    {
        detail::check(mlstm_state_get(handle(), detail::pointer(values), values.size()));
    }
    /** `c` and `h` are [B,H] and [B,P] of the layer, twice that in both directions, or empty. */
    void set_layer(std::int32_t layer, span<const float> c, span<const float> h)
    {
        check_layer(layer, c, h);
        detail::check(
            mlstm_state_set_layer(handle(), layer, detail::pointer(c), detail::pointer(h)));
    }
    /** `c` and `h` are [B,H] and [B,P] of the layer, twice that in both directions, or empty. */
    void get_layer(std::int32_t layer, span<float> c, span<float> h) const
    {
        check_layer(layer, c, h);
        detail::check(
            mlstm_state_get_layer(handle(), layer, detail::pointer(c), detail::pointer(h)));
    }
    /** `c` and `h` are [T,B,C] and [T,B,D] of the top layer, or empty. */
    void get_top(span<float> c, span<float> h) const
    {
        const std::size_t count = detail::product(steps(), 1);
        detail::check_size("c", c, count * top_.c);
        detail::check_size("h", h, count * top_.h);
        detail::check(mlstm_state_get_top(handle(), detail::pointer(c), detail::pointer(h)));
    }
    /** `values` is [L,2,B,H], or empty. */
    void set_final_grad(span<const float> values)
    {
        detail::check(mlstm_state_set_final_grad(handle(), detail::pointer(values), values.size()));
    }
    /** `values` is [L,2,B,H]. */
    void get_initial_grad(span<float> values) const
    {
        detail::check(
            mlstm_state_get_initial_grad(handle(), detail::pointer(values), values.size()));
    }
    /** ::mlstm_state_apply_grads. */
    void apply(optimizer &rule, stack &model, const grads &gradients);

private:
    template <class T> void check_layer(std::int32_t layer, span<T> c, span<T> h) const
    {
        if (layer < 0 || static_cast<std::size_t>(layer) >= layers_.size())
            return; /* the library has a sentence for that */
        detail::check_size("c", c, layers_[static_cast<std::size_t>(layer)].c);
        detail::check_size("h", h, layers_[static_cast<std::size_t>(layer)].h);
    }

    std::vector<detail::counts> layers_;
    detail::counts top_; /* for a step */
};

/** One gradient for each parameter (grads.h). */
class grads : public detail::owner<mlstm_grads>
{
public:
    explicit grads(const stack &model) : owner(mlstm_grads_create, model.handle()) {}

    void zero() { detail::check(mlstm_grads_zero(handle())); }
    void scale(float factor) { detail::check(mlstm_grads_scale(handle(), factor)); }
    void add(const grads &other) { detail::check(mlstm_grads_add(handle(), other.handle())); }
    float norm() const
    {
        float norm;
        detail::check(mlstm_grads_norm(handle(), &norm));
        return norm;
    }
    /** Returns the norm before. */
    float clip_norm(float max_norm)
    {
        float norm;
        detail::check(mlstm_grads_clip_norm(handle(), max_norm, &norm));
        return norm;
    }
    void clip_param_norm(float max_norm)
    {
        detail::check(mlstm_grads_clip_param_norm(handle(), max_norm));
    }
    void clip_value(float limit) { detail::check(mlstm_grads_clip_value(handle(), limit)); }
    /** Throws with ::MLSTM_ERROR_NOT_FINITE, naming the parameter, where a number is not finite. */
    void check() const { detail::check(mlstm_grads_check(handle(), nullptr)); }
    /** ::mlstm_grads_check as an answer: whether every number is finite. */
    bool finite() const
    {
        const mlstm_status status = mlstm_grads_check(handle(), nullptr);
        if (status != MLSTM_ERROR_NOT_FINITE)
            detail::check(status);
        return status == MLSTM_OK;
    }
    /** ::mlstm_grads_get. */
    void get_param(const std::string &name, span<float> values) const
    {
        detail::check(
            mlstm_grads_get(handle(), name.c_str(), detail::pointer(values), values.size()));
    }
    /** ::mlstm_grads_set. */
    void set_param(const std::string &name, span<const float> values)
    {
        detail::check(
            mlstm_grads_set(handle(), name.c_str(), detail::pointer(values), values.size()));
    }
    /** The block itself, in the kernels' order. */
    span<float> data()
    {
        float *values;
        std::size_t count;
        detail::check(mlstm_grads_data(handle(), &values, &count));
        return {values, count};
    }
};

/** An update rule and its slots (optimizer.h); sgd() is ::mlstm_sgd_create, and so on. */
class optimizer : public detail::owner<mlstm_optimizer>
{
public:
    static optimizer sgd(const stack &model, float rate, float momentum = 0, bool nesterov = false)
    {
        return optimizer(mlstm_sgd_create, model.handle(), rate, momentum, std::int32_t{nesterov});
    }
    static optimizer adagrad(const stack &model, float rate, float initial_accumulator = 0.1f)
    {
        return optimizer(mlstm_adagrad_create, model.handle(), rate, initial_accumulator);
    }
    static optimizer rmsprop(const stack &model, float rate, float decay = 0.9f, float momentum = 0,
                             float epsilon = 1e-10f, bool centered = false)
    {
        return optimizer(mlstm_rmsprop_create, model.handle(), rate, decay, momentum, epsilon,
                         std::int32_t{centered});
    }
    static optimizer adam(const stack &model, float rate, float beta1 = 0.9f, float beta2 = 0.999f,
                          float epsilon = 1e-8f)
    {
        return optimizer(mlstm_adam_create, model.handle(), rate, beta1, beta2, epsilon);
    }
    static optimizer adamw(const stack &model, float rate, float beta1 = 0.9f, float beta2 = 0.999f,
                           float epsilon = 1e-8f, float weight_decay = 0.01f)
    {
        return optimizer(mlstm_adamw_create, model.handle(), rate, beta1, beta2, epsilon,
                         weight_decay);
    }
    static optimizer amsgrad(const stack &model, float rate, float beta1 = 0.9f,
                             float beta2 = 0.999f, float epsilon = 1e-8f)
    {
        return optimizer(mlstm_amsgrad_create, model.handle(), rate, beta1, beta2, epsilon);
    }
    static optimizer nadam(const stack &model, float rate, float beta1 = 0.9f, float beta2 = 0.999f,
                           float epsilon = 1e-8f, float momentum_decay = 0.004f)
    {
        return optimizer(mlstm_nadam_create, model.handle(), rate, beta1, beta2, epsilon,
                         momentum_decay);
    }
    static optimizer lion(const stack &model, float rate, float beta1 = 0.9f, float beta2 = 0.99f,
                          float weight_decay = 0)
    {
        return optimizer(mlstm_lion_create, model.handle(), rate, beta1, beta2, weight_decay);
    }

    void set_rate(float rate) { detail::check(mlstm_optimizer_set_rate(handle(), rate)); }
    float rate() const noexcept { return mlstm_optimizer_rate(handle()); }
    void set_step_count(std::int64_t count)
    {
        detail::check(mlstm_optimizer_set_step_count(handle(), count));
    }
    std::int64_t step_count() const noexcept { return mlstm_optimizer_step_count(handle()); }
    void set_weight_decay(const std::string &name, float decay)
    {
        detail::check(mlstm_optimizer_set_weight_decay(handle(), name.c_str(), decay));
    }
    float weight_decay(const std::string &name) const noexcept
    {
        return mlstm_optimizer_weight_decay(handle(), name.c_str());
    }
    void set_frozen(const std::string &name, bool frozen = true)
    {
        detail::check(mlstm_optimizer_set_frozen(handle(), name.c_str(), frozen));
    }
    bool frozen(const std::string &name) const noexcept
    {
        return mlstm_optimizer_frozen(handle(), name.c_str()) != 0;
    }

    /** ::mlstm_optimizer_slot_name of all ::mlstm_optimizer_slot_count slots. */
    std::vector<std::string> slots() const
    {
        std::vector<std::string> names;
        for (std::int32_t i = 0; i < mlstm_optimizer_slot_count(handle()); i++)
            names.emplace_back(mlstm_optimizer_slot_name(handle(), i));
        return names;
    }
    void get_slot(const std::string &slot, const std::string &name, span<float> values) const
    {
        detail::check(mlstm_optimizer_get_slot(handle(), slot.c_str(), name.c_str(),
                                               detail::pointer(values), values.size()));
    }
    void set_slot(const std::string &slot, const std::string &name, span<const float> values)
    {
        detail::check(mlstm_optimizer_set_slot(handle(), slot.c_str(), name.c_str(),
                                               detail::pointer(values), values.size()));
    }

    /** ::mlstm_apply_grads. */
    void apply(stack &model, const grads &gradients)
    {
        detail::check(mlstm_apply_grads(handle(), model.handle(), gradients.handle()));
    }

private:
    using owner::owner;
};

inline void state::apply(optimizer &rule, stack &model, const grads &gradients)
{
    detail::check(
        mlstm_state_apply_grads(handle(), rule.handle(), model.handle(), gradients.handle()));
}

/** Moves a state on by one step: `x` is [B,I], `y` [B,O] or empty. */
inline void step_forward(const stack &model, state &stream, span<const float> x, span<float> y = {})
{
    detail::check_size("x", x, detail::product(stream.batch(), model.input_size()));
    detail::check_size("y", y, detail::product(stream.batch(), model.output_size()));
    detail::check(mlstm_step_forward(model.handle(), stream.handle(), detail::pointer(x),
                                     detail::pointer(y)));
}

/** Moves a state on by `T` steps: `x` is [T,B,I], `y` [T,B,O] or empty. */
inline void forward(const stack &model, state &stream, span<const float> x, std::int32_t steps,
                    span<float> y = {})
{
    detail::check_size("x", x, detail::product(steps, stream.batch(), model.input_size()));
    detail::check_size("y", y, detail::product(steps, stream.batch(), model.output_size()));
    detail::check(mlstm_forward(model.handle(), stream.handle(), detail::pointer(x), steps,
                                detail::pointer(y)));
}

/** The arrays of ::mlstm_backward; each may stay empty. */
struct backward_arrays {
    span<const float> dy;     /**< [T,B,O] */
    span<const float> dh_top; /**< [T,B,D] */
    span<const float> dc_top; /**< [T,B,C] */
    span<float> dx;           /**< [T,B,I] */
};

/** Walks the recorded steps back; `gradients` NULL where they are not wanted. */
inline void backward(const stack &model, state &stream, const backward_arrays &arrays,
                     grads *gradients)
{
    const std::int32_t steps = stream.steps(), batch = stream.batch();
    const detail::counts top = detail::top_counts(model.handle(), batch, steps);
    detail::check_size("dy", arrays.dy, detail::product(steps, batch, model.output_size()));
    detail::check_size("dh_top", arrays.dh_top, top.h);
    detail::check_size("dc_top", arrays.dc_top, top.c);
    detail::check_size("dx", arrays.dx, detail::product(steps, batch, model.input_size()));
    detail::check(mlstm_backward(model.handle(), stream.handle(), detail::pointer(arrays.dy),
                                 detail::pointer(arrays.dh_top), detail::pointer(arrays.dc_top),
                                 detail::pointer(arrays.dx),
                                 gradients ? gradients->handle() : nullptr));
}

/** Walks the recorded steps back from `dy`, [T,B,O], and adds to `gradients`. */
inline void backward(const stack &model, state &stream, span<const float> dy, grads &gradients)
{
    backward_arrays arrays;
    arrays.dy = dy;
    backward(model, stream, arrays, &gradients);
}

/** Softmax of each `classes` logits; `probabilities` are as many as `logits`, or the same array. */
inline void softmax(span<const float> logits, std::int32_t classes, span<float> probabilities)
{
    const std::size_t columns = classes < 1 ? 1 : static_cast<std::size_t>(classes);
    const std::size_t rows = logits.size() / columns;
    detail::check_size("logits", logits, rows * columns);
    detail::check_size("probabilities", probabilities, logits.size());
    detail::check(mlstm_softmax(detail::pointer(logits), rows, classes,
                                detail::pointer(probabilities)));
}

/** Returns the loss; `probabilities` and `dlogits` are as large as `logits`, or empty. */
inline float softmax_cross_entropy(span<const float> logits, span<const std::int32_t> labels,
                                   std::int32_t classes, span<float> probabilities,
                                   span<float> dlogits)
{
    const std::size_t count = detail::product(labels.size(), detail::product(classes, 1));
    detail::check_size("logits", logits, count);
    detail::check_size("probabilities", probabilities, count);
    detail::check_size("dlogits", dlogits, count);
    float loss;
    detail::check(mlstm_softmax_cross_entropy(
        detail::pointer(logits), detail::pointer(labels), labels.size(), classes,
        detail::pointer(probabilities), detail::pointer(dlogits), &loss));
    return loss;
}

/** Returns the loss; `weights` is as long as `labels`, or empty, the others as above. */
inline float softmax_cross_entropy_weighted(span<const float> logits,
                                            span<const std::int32_t> labels,
                                            span<const float> weights, std::int32_t classes,
                                            std::int32_t ignored, float smoothing,
                                            span<float> probabilities, span<float> dlogits)
{
    const std::size_t count = detail::product(labels.size(), detail::product(classes, 1));
    detail::check_size("logits", logits, count);
    detail::check_size("weights", weights, labels.size());
    detail::check_size("probabilities", probabilities, count);
    detail::check_size("dlogits", dlogits, count);
    float loss;
    detail::check(mlstm_softmax_cross_entropy_weighted(
        detail::pointer(logits), detail::pointer(labels), detail::pointer(weights), labels.size(),
        classes, ignored, smoothing, detail::pointer(probabilities), detail::pointer(dlogits),
        &loss));
    return loss;
}

/**
 * Returns one of the losses below with a weight for each row, of which there are as many as weights;
 * `targets` and `doutputs` are as large as `outputs`, or `doutputs` is empty.
 */
inline float weighted_loss(mlstm_loss kind, span<const float> outputs, span<const float> targets,
                           span<const float> weights, std::int32_t columns, float delta,
                           span<float> doutputs)
{
    const std::size_t count = detail::product(weights.size(), detail::product(columns, 1));
    detail::check_size("outputs", outputs, count);
    detail::check_size("targets", targets, count);
    detail::check_size("doutputs", doutputs, count);
    float loss;
    detail::check(mlstm_weighted_loss(kind, detail::pointer(outputs), detail::pointer(targets),
                                      detail::pointer(weights), weights.size(), columns, delta,
                                      detail::pointer(doutputs), &loss));
    return loss;
}

namespace detail
{

/** A loss of arrays of one size; `settings` stand between that and the gradient. */
template <class Loss, class... Settings>
float compare(Loss function, span<const float> outputs, span<const float> targets,
              span<float> doutputs, Settings... settings)
{
    check_size("targets", targets, outputs.size());
    check_size("doutputs", doutputs, outputs.size());
    float loss;
    check(function(pointer(outputs), pointer(targets), outputs.size(), settings...,
                   pointer(doutputs), &loss));
    return loss;
}

} // namespace detail

/** Returns the loss; `targets` and `dlogits` are as large as `logits`, or `dlogits` is empty. */
inline float sigmoid_cross_entropy(span<const float> logits, span<const float> targets,
                                   span<float> dlogits)
{
    return detail::compare(mlstm_sigmoid_cross_entropy, logits, targets, dlogits);
}

/** Returns the loss; `targets` and `doutputs` are as large as `outputs`, or `doutputs` is empty. */
inline float absolute_error(span<const float> outputs, span<const float> targets,
                            span<float> doutputs)
{
    return detail::compare(mlstm_absolute_error, outputs, targets, doutputs);
}

/** Returns the loss; arrays as of absolute_error(). */
inline float huber_loss(span<const float> outputs, span<const float> targets, float delta,
                        span<float> doutputs)
{
    return detail::compare(mlstm_huber_loss, outputs, targets, doutputs, delta);
}

/** Returns the loss; arrays as of absolute_error(). */
inline float squared_error(span<const float> outputs, span<const float> targets,
                           span<float> doutputs)
{
    return detail::compare(mlstm_squared_error, outputs, targets, doutputs);
}

} // namespace mlstm

#endif
