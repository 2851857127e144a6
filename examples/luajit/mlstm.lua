-- SPDX-License-Identifier: MIT
--
-- libmlstm for LuaJIT. A method does what the C function of its name does; the C headers are the
-- manual. Objects free themselves when they are collected, or at once by free(). A call that fails
-- raises a table with the fields `status` and `message`. Arrays are FFI arrays, whose length is
-- checked, or, where the length follows from the handles, pointers; nothing is copied. nil is NULL.

local ffi = require("ffi")

ffi.cdef [[
typedef int32_t mlstm_status;
typedef struct mlstm_cell mlstm_cell;
typedef struct mlstm_stack mlstm_stack;
typedef struct mlstm_state mlstm_state;
typedef struct mlstm_grads mlstm_grads;
typedef struct mlstm_optimizer mlstm_optimizer;

const char *mlstm_last_error(void);
const char *mlstm_status_name(mlstm_status status);
const char *mlstm_version(void);
int32_t mlstm_version_number(void);
const char *mlstm_isa(void);

mlstm_status mlstm_cell_create(int32_t input_size, int32_t hidden_size, mlstm_cell **cell);
void mlstm_cell_destroy(mlstm_cell *cell);
mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias);
mlstm_status mlstm_cell_set_biases(mlstm_cell *cell, int32_t biases);
mlstm_status mlstm_cell_set_peepholes(mlstm_cell *cell, int32_t peepholes);
mlstm_status mlstm_cell_set_projection(mlstm_cell *cell, int32_t projection);
mlstm_status mlstm_cell_set_projection_clip(mlstm_cell *cell, float clip);
mlstm_status mlstm_cell_set_cell_clip(mlstm_cell *cell, float clip);
mlstm_status mlstm_cell_set_coupled(mlstm_cell *cell, int32_t coupled);
mlstm_status mlstm_cell_set_norm(mlstm_cell *cell, int32_t norm, float epsilon);
mlstm_status mlstm_cell_set_zoneout(mlstm_cell *cell, float c_rate, float h_rate);
mlstm_status mlstm_cell_set_dropout(mlstm_cell *cell, float rate, int32_t mask);
mlstm_status mlstm_cell_set_recurrent_dropout(mlstm_cell *cell, float rate, int32_t what,
                                              int32_t mask);
mlstm_status mlstm_cell_set_skip(mlstm_cell *cell, int32_t skip);
mlstm_status mlstm_cell_set_bidirectional(mlstm_cell *cell, int32_t merge);
mlstm_status mlstm_cell_set_learned_state(mlstm_cell *cell, int32_t learned);
int32_t mlstm_cell_input_size(const mlstm_cell *cell);
int32_t mlstm_cell_hidden_size(const mlstm_cell *cell);
int32_t mlstm_cell_recurrent_size(const mlstm_cell *cell);
int32_t mlstm_cell_output_size(const mlstm_cell *cell);
int32_t mlstm_cell_output_c_size(const mlstm_cell *cell);
float mlstm_cell_forget_bias(const mlstm_cell *cell);
int32_t mlstm_cell_biases(const mlstm_cell *cell);
int32_t mlstm_cell_peepholes(const mlstm_cell *cell);
int32_t mlstm_cell_projection(const mlstm_cell *cell);
float mlstm_cell_projection_clip(const mlstm_cell *cell);
float mlstm_cell_cell_clip(const mlstm_cell *cell);
int32_t mlstm_cell_coupled(const mlstm_cell *cell);
int32_t mlstm_cell_norm(const mlstm_cell *cell, float *epsilon);
mlstm_status mlstm_cell_zoneout(const mlstm_cell *cell, float *c_rate, float *h_rate);
float mlstm_cell_dropout(const mlstm_cell *cell, int32_t *mask);
float mlstm_cell_recurrent_dropout(const mlstm_cell *cell, int32_t *what, int32_t *mask);
int32_t mlstm_cell_skip(const mlstm_cell *cell);
int32_t mlstm_cell_bidirectional(const mlstm_cell *cell);
int32_t mlstm_cell_learned_state(const mlstm_cell *cell);

mlstm_status mlstm_stack_create(mlstm_cell *const *cells, int32_t count, mlstm_stack **stack);
void mlstm_stack_destroy(mlstm_stack *stack);
mlstm_status mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs, int32_t sources);
int32_t mlstm_stack_readout(const mlstm_stack *stack);
int32_t mlstm_stack_layer_count(const mlstm_stack *stack);
const mlstm_cell *mlstm_stack_cell(const mlstm_stack *stack, int32_t layer);
int32_t mlstm_stack_input_size(const mlstm_stack *stack);
int32_t mlstm_stack_output_size(const mlstm_stack *stack);
mlstm_status mlstm_stack_init(mlstm_stack *stack, int32_t initializer, uint64_t seed);
mlstm_status mlstm_stack_init_param(mlstm_stack *stack, const char *name, int32_t initializer,
                                    float a, float b, uint64_t seed);
int32_t mlstm_stack_param_count(const mlstm_stack *stack);
mlstm_status mlstm_stack_param_info(const mlstm_stack *stack, int32_t index, const char **name,
                                    int32_t *rank, int32_t *shape);
mlstm_status mlstm_stack_get_param(const mlstm_stack *stack, const char *name, float *values,
                                   size_t count);
mlstm_status mlstm_stack_set_param(mlstm_stack *stack, const char *name, const float *values,
                                   size_t count);

mlstm_status mlstm_state_create(const mlstm_stack *stack, int32_t batch, int32_t window,
                                mlstm_state **state);
void mlstm_state_destroy(mlstm_state *state);
mlstm_status mlstm_state_set_threads(mlstm_state *state, int32_t threads);
int32_t mlstm_state_threads(const mlstm_state *state);
mlstm_status mlstm_state_zero(mlstm_state *state);
mlstm_status mlstm_state_begin_sequence(const mlstm_stack *stack, mlstm_state *state);
mlstm_status mlstm_state_begin_window(mlstm_state *state);
mlstm_status mlstm_state_keep_steps(mlstm_state *state, int32_t steps);
mlstm_status mlstm_state_set_lengths(mlstm_state *state, const int32_t *lengths, size_t count);
mlstm_status mlstm_state_set_training(mlstm_state *state, int32_t training, uint64_t seed);
int32_t mlstm_state_training(const mlstm_state *state);
size_t mlstm_state_size(const mlstm_state *state);
int32_t mlstm_state_batch(const mlstm_state *state);
int32_t mlstm_state_window(const mlstm_state *state);
int32_t mlstm_state_steps(const mlstm_state *state);
size_t mlstm_state_bytes(const mlstm_state *state);
mlstm_status mlstm_state_set(mlstm_state *state, const float *values, size_t count);
mlstm_status mlstm_state_get(const mlstm_state *state, float *values, size_t count);
mlstm_status mlstm_state_set_layer(mlstm_state *state, int32_t layer, const float *c,
                                   const float *h);
mlstm_status mlstm_state_get_layer(const mlstm_state *state, int32_t layer, float *c, float *h);
mlstm_status mlstm_state_get_top(const mlstm_state *state, float *c, float *h);
mlstm_status mlstm_state_set_final_grad(mlstm_state *state, const float *values, size_t count);
mlstm_status mlstm_state_get_initial_grad(const mlstm_state *state, float *values, size_t count);

mlstm_status mlstm_grads_create(const mlstm_stack *stack, mlstm_grads **grads);
void mlstm_grads_destroy(mlstm_grads *grads);
mlstm_status mlstm_grads_zero(mlstm_grads *grads);
mlstm_status mlstm_grads_scale(mlstm_grads *grads, float factor);
mlstm_status mlstm_grads_add(mlstm_grads *grads, const mlstm_grads *other);
mlstm_status mlstm_grads_norm(const mlstm_grads *grads, float *norm);
mlstm_status mlstm_grads_clip_norm(mlstm_grads *grads, float max_norm, float *norm);
mlstm_status mlstm_grads_clip_param_norm(mlstm_grads *grads, float max_norm);
mlstm_status mlstm_grads_clip_value(mlstm_grads *grads, float limit);
mlstm_status mlstm_grads_check(const mlstm_grads *grads, const char **name);
mlstm_status mlstm_grads_get(const mlstm_grads *grads, const char *name, float *values,
                             size_t count);
mlstm_status mlstm_grads_set(mlstm_grads *grads, const char *name, const float *values,
                             size_t count);
mlstm_status mlstm_grads_data(mlstm_grads *grads, float **data, size_t *count);

mlstm_status mlstm_sgd_create(const mlstm_stack *stack, float rate, float momentum,
                              int32_t nesterov, mlstm_optimizer **optimizer);
mlstm_status mlstm_adagrad_create(const mlstm_stack *stack, float rate, float initial_accumulator,
                                  mlstm_optimizer **optimizer);
mlstm_status mlstm_rmsprop_create(const mlstm_stack *stack, float rate, float decay, float momentum,
                                  float epsilon, int32_t centered, mlstm_optimizer **optimizer);
mlstm_status mlstm_adam_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                               float epsilon, mlstm_optimizer **optimizer);
mlstm_status mlstm_adamw_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float weight_decay, mlstm_optimizer **optimizer);
mlstm_status mlstm_amsgrad_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                  float epsilon, mlstm_optimizer **optimizer);
mlstm_status mlstm_nadam_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                                float epsilon, float momentum_decay, mlstm_optimizer **optimizer);
mlstm_status mlstm_lion_create(const mlstm_stack *stack, float rate, float beta1, float beta2,
                               float weight_decay, mlstm_optimizer **optimizer);
void mlstm_optimizer_destroy(mlstm_optimizer *optimizer);
mlstm_status mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate);
float mlstm_optimizer_rate(const mlstm_optimizer *optimizer);
int64_t mlstm_optimizer_step_count(const mlstm_optimizer *optimizer);
mlstm_status mlstm_optimizer_set_step_count(mlstm_optimizer *optimizer, int64_t count);
mlstm_status mlstm_optimizer_set_weight_decay(mlstm_optimizer *optimizer, const char *param,
                                              float decay);
float mlstm_optimizer_weight_decay(const mlstm_optimizer *optimizer, const char *param);
mlstm_status mlstm_optimizer_set_frozen(mlstm_optimizer *optimizer, const char *param,
                                        int32_t frozen);
int32_t mlstm_optimizer_frozen(const mlstm_optimizer *optimizer, const char *param);
int32_t mlstm_optimizer_slot_count(const mlstm_optimizer *optimizer);
const char *mlstm_optimizer_slot_name(const mlstm_optimizer *optimizer, int32_t index);
mlstm_status mlstm_optimizer_get_slot(const mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, float *values, size_t count);
mlstm_status mlstm_optimizer_set_slot(mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, const float *values, size_t count);
mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                               const mlstm_grads *grads);
mlstm_status mlstm_state_apply_grads(mlstm_state *state, mlstm_optimizer *optimizer,
                                     mlstm_stack *stack, const mlstm_grads *grads);

mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                float *y);
mlstm_status mlstm_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                           int32_t steps, float *y);
mlstm_status mlstm_backward(const mlstm_stack *stack, mlstm_state *state, const float *dy,
                            const float *dh_top, const float *dc_top, float *dx,
                            mlstm_grads *grads);
mlstm_status mlstm_softmax(const float *logits, size_t rows, int32_t classes, float *probabilities);
mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                         int32_t classes, float *probabilities, float *dlogits,
                                         float *loss);
mlstm_status mlstm_squared_error(const float *outputs, const float *targets, size_t count,
                                 float *doutputs, float *loss);
mlstm_status mlstm_softmax_cross_entropy_weighted(
    const float *logits, const int32_t *labels, const float *weights, size_t rows, int32_t classes,
    int32_t ignored, float smoothing, float *probabilities, float *dlogits, float *loss);
mlstm_status mlstm_sigmoid_cross_entropy(const float *logits, const float *targets, size_t count,
                                         float *dlogits, float *loss);
mlstm_status mlstm_absolute_error(const float *outputs, const float *targets, size_t count,
                                  float *doutputs, float *loss);
mlstm_status mlstm_huber_loss(const float *outputs, const float *targets, size_t count, float delta,
                              float *doutputs, float *loss);
mlstm_status mlstm_weighted_loss(int32_t kind, const float *outputs, const float *targets,
                                 const float *weights, size_t rows, int32_t columns, float delta,
                                 float *doutputs, float *loss);

float mlstm_schedule_step(float rate, int64_t step, int64_t period, float factor);
float mlstm_schedule_exponential(float rate, int64_t step, int64_t period, float factor);
float mlstm_schedule_cosine(float rate, int64_t step, int64_t steps, float alpha);
float mlstm_schedule_warmup(float rate, int64_t step, int64_t steps, float start);
float mlstm_schedule_loss_scale(float scale, int32_t finite, int64_t period, float growth,
                                float backoff, int64_t *streak);
]]

local C = ffi.load(os.getenv("MLSTM_LIBRARY") or "mlstm")

local mlstm = {
    READOUT_C = 1, READOUT_H = 2,
    ZEROS = 0, UNIFORM = 1, GLOROT_UNIFORM = 2, GLOROT_NORMAL = 3, HE_UNIFORM = 4, HE_NORMAL = 5,
    NORMAL = 6, TRUNCATED_NORMAL = 7, CONSTANT = 8, ORTHOGONAL = 9,
    NORM_NONE = 0, NORM_GATES = 1, NORM_PRODUCTS = 2,
    MASK_STEP = 0, MASK_SEQUENCE = 1,
    DROP_HIDDEN = 0, DROP_CANDIDATE = 1,
    SKIP_NONE = 0, SKIP_RESIDUAL = 1, SKIP_HIGHWAY = 2,
    MERGE_NONE = 0, MERGE_CONCAT = 1, MERGE_SUM = 2,
    SQUARED_ERROR = 0, ABSOLUTE_ERROR = 1, HUBER_LOSS = 2, SIGMOID_CROSS_ENTROPY = 3,
    version = ffi.string(C.mlstm_version()),
    version_number = C.mlstm_version_number(),
    isa = ffi.string(C.mlstm_isa()),
}

local failure = {__tostring = function(self) return self.message end}

local function raise(status, message)
    error(setmetatable({status = status, message = message}, failure), 0)
end

local function check(status)
    if status ~= 0 then
        raise(ffi.string(C.mlstm_status_name(status)), ffi.string(C.mlstm_last_error()))
    end
end

local pointers = {ffi.typeof("float *"), ffi.typeof("const float *"),
                  ffi.typeof("int32_t *"), ffi.typeof("const int32_t *")}

local function is_pointer(values)
    for _, pointer in ipairs(pointers) do
        if ffi.istype(pointer, values) then return true end
    end
    return false
end

-- Numbers in an array; all of them have four bytes.
local function length(values)
    if values == nil then return 0 end
    if is_pointer(values) then
        raise("MLSTM_ERROR_INVALID_ARGUMENT", "a pointer has no length; an array is needed here")
    end
    return ffi.sizeof(values) / 4
end

-- An array of `count` numbers. A pointer, or what has no size yet, is left to the library.
local function sized(name, values, count)
    if values ~= nil and count > 0 and not is_pointer(values) and length(values) ~= count then
        raise("MLSTM_ERROR_MISMATCH",
              ("%s should have %d numbers, got %d"):format(name, count, length(values)))
    end
    return values
end

-- A class whose objects have the handle in `handle`, nil once it is free.
local function class(kind)
    local methods = {}
    local meta = {__index = methods}
    local destroy = C["mlstm_" .. kind .. "_destroy"]
    local out = ffi.typeof("mlstm_" .. kind .. " *[1]")

    function methods:free()
        if self.handle ~= nil then
            destroy(ffi.gc(self.handle, nil))
            self.handle = nil
        end
    end

    -- A new object from the C function that makes the handle.
    local function new(create, ...)
        local handle = out()
        local arguments, count = {...}, select("#", ...)
        arguments[count + 1] = handle
        check(create(unpack(arguments, 1, count + 1)))
        return setmetatable({handle = ffi.gc(handle[0], destroy)}, meta)
    end
    return methods, new, meta
end

local cell, new_cell, cell_meta = class("cell")
local stack, new_stack, stack_meta = class("stack")
local state, new_state = class("state")
local grads, new_grads = class("grads")
local optimizer, new_optimizer = class("optimizer")

function mlstm.cell(input_size, hidden_size)
    return new_cell(C.mlstm_cell_create, input_size, hidden_size)
end

-- cell:set_peepholes(true), cell:set_dropout(0.5, mlstm.MASK_SEQUENCE) and so on.
for _, option in ipairs {
    "forget_bias", "biases", "peepholes", "projection", "projection_clip", "cell_clip", "coupled",
    "norm", "zoneout", "dropout", "recurrent_dropout", "skip", "bidirectional", "learned_state",
} do
    local set = C["mlstm_cell_set_" .. option]
    cell["set_" .. option] = function(self, ...) check(set(self.handle, ...)) end
end

for _, name in ipairs {
    "input_size", "hidden_size", "recurrent_size", "output_size", "output_c_size", "forget_bias",
    "biases", "projection", "projection_clip", "cell_clip", "skip", "bidirectional",
} do
    local get = C["mlstm_cell_" .. name]
    cell[name] = function(self) return get(self.handle) end
end

function cell:peepholes() return C.mlstm_cell_peepholes(self.handle) ~= 0 end
function cell:coupled() return C.mlstm_cell_coupled(self.handle) ~= 0 end
function cell:learned_state() return C.mlstm_cell_learned_state(self.handle) ~= 0 end

-- Options of several numbers, in the order that sets them.
function cell:norm()
    local epsilon = ffi.new("float[1]")
    return C.mlstm_cell_norm(self.handle, epsilon), epsilon[0]
end

function cell:zoneout()
    local c, h = ffi.new("float[1]"), ffi.new("float[1]")
    check(C.mlstm_cell_zoneout(self.handle, c, h))
    return c[0], h[0]
end

function cell:dropout()
    local mask = ffi.new("int32_t[1]")
    return C.mlstm_cell_dropout(self.handle, mask), mask[0]
end

function cell:recurrent_dropout()
    local what, mask = ffi.new("int32_t[1]"), ffi.new("int32_t[1]")
    return C.mlstm_cell_recurrent_dropout(self.handle, what, mask), what[0], mask[0]
end

-- Takes the cells over: they hold no handle afterwards.
function mlstm.stack(cells)
    local handles = ffi.new("mlstm_cell *[?]", #cells)
    for i, each in ipairs(cells) do handles[i - 1] = each.handle end
    local made = new_stack(C.mlstm_stack_create, handles, #cells)
    for _, each in ipairs(cells) do
        ffi.gc(each.handle, nil)
        each.handle = nil
    end
    return made
end

local function keep() end -- frees nothing: the handle is another's

-- Another Lua state's stack, by its address(), which that state keeps alive.
function mlstm.borrow_stack(address)
    local handle = ffi.cast("mlstm_stack *", ffi.cast("uintptr_t", address))
    return setmetatable({handle = handle, free = keep}, stack_meta)
end

function stack:address() return tonumber(ffi.cast("uintptr_t", self.handle)) end

function stack:set_readout(outputs, sources)
    check(C.mlstm_stack_set_readout(self.handle, outputs, sources))
end

-- What the readout reads, as set_readout takes it, or 0.
function stack:readout() return C.mlstm_stack_readout(self.handle) end

function stack:init(initializer, seed) check(C.mlstm_stack_init(self.handle, initializer, seed)) end

function stack:init_param(name, initializer, a, b, seed)
    check(C.mlstm_stack_init_param(self.handle, name, initializer, a, b, seed))
end

function stack:layer_count() return C.mlstm_stack_layer_count(self.handle) end
function stack:input_size() return C.mlstm_stack_input_size(self.handle) end
function stack:output_size() return C.mlstm_stack_output_size(self.handle) end

-- The cell of a layer, to be read; it keeps its stack alive.
function stack:cell(layer)
    local handle = C.mlstm_stack_cell(self.handle, layer)
    return setmetatable({handle = handle, owner = self, free = keep}, cell_meta)
end

function stack:hidden_size(layer)
    return C.mlstm_cell_hidden_size(C.mlstm_stack_cell(self.handle, layer))
end

-- A list of {name, shape, count}, from the bottom layer to the readout.
function stack:params()
    local name = ffi.new("const char *[1]")
    local rank, shape = ffi.new("int32_t[1]"), ffi.new("int32_t[2]")
    local all = {}
    for i = 0, C.mlstm_stack_param_count(self.handle) - 1 do
        check(C.mlstm_stack_param_info(self.handle, i, name, rank, shape))
        all[i + 1] = {name = ffi.string(name[0]), count = shape[0] * shape[1],
                      shape = rank[0] == 1 and {shape[0]} or {shape[0], shape[1]}}
    end
    return all
end

function stack:get_param(name, values)
    check(C.mlstm_stack_get_param(self.handle, name, values, length(values)))
end

function stack:set_param(name, values)
    check(C.mlstm_stack_set_param(self.handle, name, values, length(values)))
end

-- x is [B,I], y [B,O].
function stack:step_forward(stream, x, y)
    local batch = stream:batch()
    check(C.mlstm_step_forward(self.handle, stream.handle, sized("x", x, batch * self:input_size()),
                               sized("y", y, batch * self:output_size())))
end

-- x is [T,B,I], y [T,B,O].
function stack:forward(stream, x, steps, y)
    local rows = steps * stream:batch()
    check(C.mlstm_forward(self.handle, stream.handle, sized("x", x, rows * self:input_size()),
                          steps, sized("y", y, rows * self:output_size())))
end

-- C and D of the top layer.
local function top_sizes(model)
    local top = C.mlstm_stack_cell(model.handle, model:layer_count() - 1)
    return C.mlstm_cell_output_c_size(top), C.mlstm_cell_output_size(top)
end

-- H and P of a layer, twice that in both directions.
local function state_sizes(model, layer)
    local each = C.mlstm_stack_cell(model.handle, layer)
    local c, h = C.mlstm_cell_hidden_size(each), C.mlstm_cell_recurrent_size(each)
    if C.mlstm_cell_bidirectional(each) == mlstm.MERGE_NONE then return c, h end
    return 2 * c, 2 * h
end

-- arrays has dy [T,B,O], dh_top [T,B,D], dc_top [T,B,C] and dx [T,B,I], each may be missing.
function stack:backward(stream, arrays, gradients)
    local rows = stream:steps() * stream:batch()
    local top_c, top_h = top_sizes(self)
    check(C.mlstm_backward(self.handle, stream.handle,
                           sized("dy", arrays.dy, rows * self:output_size()),
                           sized("dh_top", arrays.dh_top, rows * top_h),
                           sized("dc_top", arrays.dc_top, rows * top_c),
                           sized("dx", arrays.dx, rows * self:input_size()),
                           gradients and gradients.handle))
end

function mlstm.state(model, batch, window)
    local made = new_state(C.mlstm_state_create, model.handle, batch, window)
    made.c, made.h = {}, {} -- numbers in those of each layer
    for layer = 0, model:layer_count() - 1 do
        local c, h = state_sizes(model, layer)
        made.c[layer], made.h[layer] = batch * c, batch * h
    end
    made.top_c, made.top_h = top_sizes(model)
    return made
end

function state:zero() check(C.mlstm_state_zero(self.handle)) end
function state:begin_sequence(model)
    check(C.mlstm_state_begin_sequence(model.handle, self.handle))
end
function state:begin_window() check(C.mlstm_state_begin_window(self.handle)) end
function state:keep_steps(steps) check(C.mlstm_state_keep_steps(self.handle, steps)) end
function state:set_threads(threads) check(C.mlstm_state_set_threads(self.handle, threads)) end
function state:threads() return C.mlstm_state_threads(self.handle) end
function state:size() return tonumber(C.mlstm_state_size(self.handle)) end
function state:batch() return C.mlstm_state_batch(self.handle) end
function state:window() return C.mlstm_state_window(self.handle) end
function state:steps() return C.mlstm_state_steps(self.handle) end
function state:bytes() return tonumber(C.mlstm_state_bytes(self.handle)) end

-- How many steps each row still has, [B], an int32_t array; nil for no end.
function state:set_lengths(lengths)
    check(C.mlstm_state_set_lengths(self.handle, lengths, length(lengths)))
end

function state:set_training(training, seed)
    check(C.mlstm_state_set_training(self.handle, training, seed or 0))
end
function state:training() return C.mlstm_state_training(self.handle) ~= 0 end

-- The whole tensor, [L,2,B,H].
function state:set(values) check(C.mlstm_state_set(self.handle, values, length(values))) end
function state:get(values) check(C.mlstm_state_get(self.handle, values, length(values))) end

-- c is [B,H] and h [B,P] of the layer, both [2,...] in a bidirectional one.
function state:set_layer(layer, c, h)
    check(C.mlstm_state_set_layer(self.handle, layer, sized("c", c, self.c[layer] or 0),
                                  sized("h", h, self.h[layer] or 0)))
end

function state:get_layer(layer, c, h)
    check(C.mlstm_state_get_layer(self.handle, layer, sized("c", c, self.c[layer] or 0),
                                  sized("h", h, self.h[layer] or 0)))
end

-- c is [T,B,C] and h [T,B,D] of the top layer.
function state:get_top(c, h)
    local rows = self:steps() * self:batch()
    check(C.mlstm_state_get_top(self.handle, sized("c", c, rows * self.top_c),
                                sized("h", h, rows * self.top_h)))
end

function state:set_final_grad(values)
    check(C.mlstm_state_set_final_grad(self.handle, values, length(values)))
end

function state:get_initial_grad(values)
    check(C.mlstm_state_get_initial_grad(self.handle, values, length(values)))
end

-- As apply_grads of the optimizer, on the threads of this state.
function state:apply_grads(rule, model, gradients)
    check(C.mlstm_state_apply_grads(self.handle, rule.handle, model.handle, gradients.handle))
end

function mlstm.grads(model) return new_grads(C.mlstm_grads_create, model.handle) end

function grads:zero() check(C.mlstm_grads_zero(self.handle)) end
function grads:scale(factor) check(C.mlstm_grads_scale(self.handle, factor)) end
function grads:add(other) check(C.mlstm_grads_add(self.handle, other.handle)) end

function grads:norm()
    local norm = ffi.new("float[1]")
    check(C.mlstm_grads_norm(self.handle, norm))
    return norm[0]
end

-- Returns the norm before.
function grads:clip_norm(max_norm)
    local norm = ffi.new("float[1]")
    check(C.mlstm_grads_clip_norm(self.handle, max_norm, norm))
    return norm[0]
end

function grads:clip_param_norm(max_norm)
    check(C.mlstm_grads_clip_param_norm(self.handle, max_norm))
end

function grads:clip_value(limit) check(C.mlstm_grads_clip_value(self.handle, limit)) end

-- Raises MLSTM_ERROR_NOT_FINITE, naming the parameter, where a number is not finite.
function grads:check() check(C.mlstm_grads_check(self.handle, nil)) end

function grads:get(name, values)
    check(C.mlstm_grads_get(self.handle, name, values, length(values)))
end

function grads:set(name, values)
    check(C.mlstm_grads_set(self.handle, name, values, length(values)))
end

-- The block itself and its length, good while the object is.
function grads:data()
    local data, count = ffi.new("float *[1]"), ffi.new("size_t[1]")
    check(C.mlstm_grads_data(self.handle, data, count))
    return data[0], tonumber(count[0])
end

function mlstm.sgd(model, rate, momentum, nesterov)
    return new_optimizer(C.mlstm_sgd_create, model.handle, rate, momentum or 0, nesterov and 1 or 0)
end

function mlstm.adagrad(model, rate, initial_accumulator)
    return new_optimizer(C.mlstm_adagrad_create, model.handle, rate, initial_accumulator or 0.1)
end

function mlstm.rmsprop(model, rate, decay, momentum, epsilon, centered)
    return new_optimizer(C.mlstm_rmsprop_create, model.handle, rate, decay or 0.9, momentum or 0,
                         epsilon or 1e-10, centered and 1 or 0)
end

function mlstm.adam(model, rate, beta1, beta2, epsilon)
    return new_optimizer(C.mlstm_adam_create, model.handle, rate, beta1 or 0.9, beta2 or 0.999,
                         epsilon or 1e-8)
end

function mlstm.adamw(model, rate, beta1, beta2, epsilon, weight_decay)
    return new_optimizer(C.mlstm_adamw_create, model.handle, rate, beta1 or 0.9, beta2 or 0.999,
                         epsilon or 1e-8, weight_decay or 0.01)
end

function mlstm.amsgrad(model, rate, beta1, beta2, epsilon)
    return new_optimizer(C.mlstm_amsgrad_create, model.handle, rate, beta1 or 0.9, beta2 or 0.999,
                         epsilon or 1e-8)
end

function mlstm.nadam(model, rate, beta1, beta2, epsilon, momentum_decay)
    return new_optimizer(C.mlstm_nadam_create, model.handle, rate, beta1 or 0.9, beta2 or 0.999,
                         epsilon or 1e-8, momentum_decay or 0.004)
end

function mlstm.lion(model, rate, beta1, beta2, weight_decay)
    return new_optimizer(C.mlstm_lion_create, model.handle, rate, beta1 or 0.9, beta2 or 0.99,
                         weight_decay or 0)
end

function optimizer:set_rate(rate) check(C.mlstm_optimizer_set_rate(self.handle, rate)) end
function optimizer:rate() return C.mlstm_optimizer_rate(self.handle) end

function optimizer:step_count() return tonumber(C.mlstm_optimizer_step_count(self.handle)) end

function optimizer:set_step_count(count)
    check(C.mlstm_optimizer_set_step_count(self.handle, count))
end

function optimizer:set_weight_decay(name, decay)
    check(C.mlstm_optimizer_set_weight_decay(self.handle, name, decay))
end
function optimizer:weight_decay(name) return C.mlstm_optimizer_weight_decay(self.handle, name) end

function optimizer:set_frozen(name, frozen)
    check(C.mlstm_optimizer_set_frozen(self.handle, name, frozen))
end
function optimizer:frozen(name) return C.mlstm_optimizer_frozen(self.handle, name) ~= 0 end

function optimizer:slots()
    local names = {}
    for i = 1, C.mlstm_optimizer_slot_count(self.handle) do
        names[i] = ffi.string(C.mlstm_optimizer_slot_name(self.handle, i - 1))
    end
    return names
end

function optimizer:get_slot(slot, name, values)
    check(C.mlstm_optimizer_get_slot(self.handle, slot, name, values, length(values)))
end

function optimizer:set_slot(slot, name, values)
    check(C.mlstm_optimizer_set_slot(self.handle, slot, name, values, length(values)))
end

function optimizer:apply_grads(model, gradients)
    check(C.mlstm_apply_grads(self.handle, model.handle, gradients.handle))
end

-- Probabilities of logits [rows,classes], which may be the same array.
function mlstm.softmax(logits, rows, classes, probabilities)
    local count = rows * classes
    check(C.mlstm_softmax(sized("logits", logits, count), rows, classes,
                          sized("probabilities", probabilities, count)))
end

-- The loss of logits [rows,classes] with labels [rows], an int32_t array or pointer.
function mlstm.softmax_cross_entropy(logits, labels, rows, classes, probabilities, dlogits)
    local loss, count = ffi.new("float[1]"), rows * classes
    check(C.mlstm_softmax_cross_entropy(sized("logits", logits, count),
                                        sized("labels", labels, rows), rows, classes,
                                        sized("probabilities", probabilities, count),
                                        sized("dlogits", dlogits, count), loss))
    return loss[0]
end

-- weights [rows] may be nil; ignored is -1 and smoothing 0 where they are.
function mlstm.softmax_cross_entropy_weighted(logits, labels, weights, rows, classes, ignored,
                                              smoothing, probabilities, dlogits)
    local loss, count = ffi.new("float[1]"), rows * classes
    check(C.mlstm_softmax_cross_entropy_weighted(
        sized("logits", logits, count), sized("labels", labels, rows),
        sized("weights", weights, rows), rows, classes, ignored or -1, smoothing or 0,
        sized("probabilities", probabilities, count), sized("dlogits", dlogits, count), loss))
    return loss[0]
end

-- A loss of `count` outputs and targets.
local function compare(call, outputs, targets, count, doutputs)
    local loss = ffi.new("float[1]")
    check(call(sized("outputs", outputs, count), sized("targets", targets, count), count,
               sized("doutputs", doutputs, count), loss))
    return loss[0]
end

function mlstm.sigmoid_cross_entropy(logits, targets, count, dlogits)
    return compare(C.mlstm_sigmoid_cross_entropy, logits, targets, count, dlogits)
end

function mlstm.absolute_error(outputs, targets, count, doutputs)
    return compare(C.mlstm_absolute_error, outputs, targets, count, doutputs)
end

function mlstm.huber_loss(outputs, targets, count, delta, doutputs)
    return compare(function(y, z, n, dy, loss)
        return C.mlstm_huber_loss(y, z, n, delta, dy, loss)
    end, outputs, targets, count, doutputs)
end

function mlstm.squared_error(outputs, targets, count, doutputs)
    return compare(C.mlstm_squared_error, outputs, targets, count, doutputs)
end

-- One of the four above, such as mlstm.HUBER_LOSS, of [rows,columns] with weights [rows]; delta is
-- 1 where it is nil.
function mlstm.weighted_loss(kind, outputs, targets, weights, rows, columns, delta, doutputs)
    sized("weights", weights, rows)
    return compare(function(y, z, _, dy, loss)
        return C.mlstm_weighted_loss(kind, y, z, weights, rows, columns, delta or 1, dy, loss)
    end, outputs, targets, rows * columns, doutputs)
end

-- Learning rates from the number of updates made before (schedule.h).
mlstm.schedule_step = C.mlstm_schedule_step
mlstm.schedule_exponential = C.mlstm_schedule_exponential
mlstm.schedule_cosine = C.mlstm_schedule_cosine
mlstm.schedule_warmup = C.mlstm_schedule_warmup

-- The loss scale of mlstm_schedule_loss_scale: update(finite) takes in whether the gradients of a
-- window were finite, and returns what is `value` for the next.
function mlstm.loss_scale(value, period, growth, backoff)
    local scale, streak = {value = value or 65536}, ffi.new("int64_t[1]")
    function scale:update(finite)
        self.value = C.mlstm_schedule_loss_scale(self.value, finite, period or 2000, growth or 2,
                                                 backoff or 0.5, streak)
        return self.value
    end
    return scale
end

return mlstm
