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
const char *mlstm_isa(void);

mlstm_status mlstm_cell_create(int32_t input_size, int32_t hidden_size, mlstm_cell **cell);
void mlstm_cell_destroy(mlstm_cell *cell);
mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias);
int32_t mlstm_cell_input_size(const mlstm_cell *cell);
int32_t mlstm_cell_hidden_size(const mlstm_cell *cell);
float mlstm_cell_forget_bias(const mlstm_cell *cell);

mlstm_status mlstm_stack_create(mlstm_cell *const *cells, int32_t count, mlstm_stack **stack);
void mlstm_stack_destroy(mlstm_stack *stack);
mlstm_status mlstm_stack_set_readout(mlstm_stack *stack, int32_t outputs, int32_t sources);
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
mlstm_status mlstm_state_begin_window(mlstm_state *state);
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
mlstm_status mlstm_grads_get(const mlstm_grads *grads, const char *name, float *values,
                             size_t count);
mlstm_status mlstm_grads_set(mlstm_grads *grads, const char *name, const float *values,
                             size_t count);
mlstm_status mlstm_grads_data(mlstm_grads *grads, float **data, size_t *count);

mlstm_status mlstm_sgd_create(const mlstm_stack *stack, float rate, float momentum,
                              int32_t nesterov, mlstm_optimizer **optimizer);
mlstm_status mlstm_adagrad_create(const mlstm_stack *stack, float rate, float initial_accumulator,
                                  mlstm_optimizer **optimizer);
void mlstm_optimizer_destroy(mlstm_optimizer *optimizer);
mlstm_status mlstm_optimizer_set_rate(mlstm_optimizer *optimizer, float rate);
float mlstm_optimizer_rate(const mlstm_optimizer *optimizer);
int32_t mlstm_optimizer_slot_count(const mlstm_optimizer *optimizer);
const char *mlstm_optimizer_slot_name(const mlstm_optimizer *optimizer, int32_t index);
mlstm_status mlstm_optimizer_get_slot(const mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, float *values, size_t count);
mlstm_status mlstm_optimizer_set_slot(mlstm_optimizer *optimizer, const char *slot,
                                      const char *param, const float *values, size_t count);
mlstm_status mlstm_apply_grads(mlstm_optimizer *optimizer, mlstm_stack *stack,
                               const mlstm_grads *grads);

mlstm_status mlstm_step_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                                float *y);
mlstm_status mlstm_forward(const mlstm_stack *stack, mlstm_state *state, const float *x,
                           int32_t steps, float *y);
mlstm_status mlstm_backward(const mlstm_stack *stack, mlstm_state *state, const float *dy,
                            const float *dh_top, const float *dc_top, float *dx,
                            mlstm_grads *grads);
mlstm_status mlstm_softmax_cross_entropy(const float *logits, const int32_t *labels, size_t rows,
                                         int32_t classes, float *probabilities, float *dlogits,
                                         float *loss);
mlstm_status mlstm_squared_error(const float *outputs, const float *targets, size_t count,
                                 float *doutputs, float *loss);
]]

local C = ffi.load(os.getenv("MLSTM_LIBRARY") or "mlstm")

local mlstm = {
    READOUT_C = 1, READOUT_H = 2,
    ZEROS = 0, UNIFORM = 1, GLOROT_UNIFORM = 2,
    version = ffi.string(C.mlstm_version()),
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

local cell, new_cell = class("cell")
local stack, new_stack, stack_meta = class("stack")
local state, new_state = class("state")
local grads, new_grads = class("grads")
local optimizer, new_optimizer = class("optimizer")

function mlstm.cell(input_size, hidden_size)
    return new_cell(C.mlstm_cell_create, input_size, hidden_size)
end

function cell:set_forget_bias(value) check(C.mlstm_cell_set_forget_bias(self.handle, value)) end
function cell:input_size() return C.mlstm_cell_input_size(self.handle) end
function cell:hidden_size() return C.mlstm_cell_hidden_size(self.handle) end
function cell:forget_bias() return C.mlstm_cell_forget_bias(self.handle) end

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

-- Another Lua state's stack, by its address(), which that state keeps alive.
function mlstm.borrow_stack(address)
    local handle = ffi.cast("mlstm_stack *", ffi.cast("uintptr_t", address))
    return setmetatable({handle = handle, free = function() end}, stack_meta)
end

function stack:address() return tonumber(ffi.cast("uintptr_t", self.handle)) end

function stack:set_readout(outputs, sources)
    check(C.mlstm_stack_set_readout(self.handle, outputs, sources))
end

function stack:init(initializer, seed) check(C.mlstm_stack_init(self.handle, initializer, seed)) end

function stack:init_param(name, initializer, a, b, seed)
    check(C.mlstm_stack_init_param(self.handle, name, initializer, a, b, seed))
end

function stack:layer_count() return C.mlstm_stack_layer_count(self.handle) end
function stack:input_size() return C.mlstm_stack_input_size(self.handle) end
function stack:output_size() return C.mlstm_stack_output_size(self.handle) end

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

-- arrays has dy [T,B,O], dh_top and dc_top [T,B,H] and dx [T,B,I], each may be missing.
function stack:backward(stream, arrays, gradients)
    local rows = stream:steps() * stream:batch()
    local top = rows * self:hidden_size(self:layer_count() - 1)
    check(C.mlstm_backward(self.handle, stream.handle,
                           sized("dy", arrays.dy, rows * self:output_size()),
                           sized("dh_top", arrays.dh_top, top), sized("dc_top", arrays.dc_top, top),
                           sized("dx", arrays.dx, rows * self:input_size()),
                           gradients and gradients.handle))
end

function mlstm.state(model, batch, window)
    local made = new_state(C.mlstm_state_create, model.handle, batch, window)
    made.halves = {} -- B*H of each layer
    for layer = 0, model:layer_count() - 1 do
        made.halves[layer] = batch * model:hidden_size(layer)
    end
    return made
end

function state:zero() check(C.mlstm_state_zero(self.handle)) end
function state:begin_window() check(C.mlstm_state_begin_window(self.handle)) end
function state:set_threads(threads) check(C.mlstm_state_set_threads(self.handle, threads)) end
function state:threads() return C.mlstm_state_threads(self.handle) end
function state:size() return tonumber(C.mlstm_state_size(self.handle)) end
function state:batch() return C.mlstm_state_batch(self.handle) end
function state:window() return C.mlstm_state_window(self.handle) end
function state:steps() return C.mlstm_state_steps(self.handle) end
function state:bytes() return tonumber(C.mlstm_state_bytes(self.handle)) end

-- The whole tensor, [L,2,B,H].
function state:set(values) check(C.mlstm_state_set(self.handle, values, length(values))) end
function state:get(values) check(C.mlstm_state_get(self.handle, values, length(values))) end

-- c and h are [B,H] of the layer.
function state:set_layer(layer, c, h)
    local count = self.halves[layer] or 0
    check(C.mlstm_state_set_layer(self.handle, layer, sized("c", c, count), sized("h", h, count)))
end

function state:get_layer(layer, c, h)
    local count = self.halves[layer] or 0
    check(C.mlstm_state_get_layer(self.handle, layer, sized("c", c, count), sized("h", h, count)))
end

-- c and h are [T,B,H] of the top layer.
function state:get_top(c, h)
    local count = self:steps() * self.halves[#self.halves]
    check(C.mlstm_state_get_top(self.handle, sized("c", c, count), sized("h", h, count)))
end

function state:set_final_grad(values)
    check(C.mlstm_state_set_final_grad(self.handle, values, length(values)))
end

function state:get_initial_grad(values)
    check(C.mlstm_state_get_initial_grad(self.handle, values, length(values)))
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

function optimizer:set_rate(rate) check(C.mlstm_optimizer_set_rate(self.handle, rate)) end
function optimizer:rate() return C.mlstm_optimizer_rate(self.handle) end

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

-- The loss of logits [rows,classes] with labels [rows], an int32_t array or pointer.
function mlstm.softmax_cross_entropy(logits, labels, rows, classes, probabilities, dlogits)
    local loss, count = ffi.new("float[1]"), rows * classes
    check(C.mlstm_softmax_cross_entropy(sized("logits", logits, count),
                                        sized("labels", labels, rows), rows, classes,
                                        sized("probabilities", probabilities, count),
                                        sized("dlogits", dlogits, count), loss))
    return loss[0]
end

function mlstm.squared_error(outputs, targets, count, doutputs)
    local loss = ffi.new("float[1]")
    check(C.mlstm_squared_error(sized("outputs", outputs, count), sized("targets", targets, count),
                                count, sized("doutputs", doutputs, count), loss))
    return loss[0]
end

return mlstm
