-- SPDX-License-Identifier: MIT
--
-- usage: luajit echo.lua [EPOCHS]
-- The echo task of examples/echo.c: an LSTM learns to repeat random bits three steps later.

local ffi = require("ffi")
local mlstm = require("mlstm")

local total_series_length = 50000
local truncated_backprop_length = 15
local state_size = 4
local num_classes = 2
local echo_step = 3
local batch_size = 5
local num_layers = 3
local columns = total_series_length / batch_size
local num_batches = math.floor(columns / truncated_backprop_length)
local positions = truncated_backprop_length * batch_size

-- x and y [columns,B], so that a window is a piece of them.
local function generate_data()
    local bits = ffi.new("uint8_t[?]", total_series_length)
    local x = ffi.new("float[?]", total_series_length)
    local y = ffi.new("int32_t[?]", total_series_length)
    for i = 0, total_series_length - 1 do
        bits[i] = math.random(0, 1)
        local place = i % columns * batch_size + math.floor(i / columns)
        x[place] = bits[i]
        y[place] = i < echo_step and 0 or bits[i - echo_step]
    end
    return x, y
end

local function create_stack()
    local cells = {}
    for layer = 1, num_layers do
        cells[layer] = mlstm.cell(layer == 1 and 1 or state_size, state_size)
    end
    local stack = mlstm.stack(cells)
    stack:set_readout(num_classes, mlstm.READOUT_C + mlstm.READOUT_H)
    stack:init(mlstm.GLOROT_UNIFORM, 1)
    stack:init_param("readout.kernel_c", mlstm.UNIFORM, 0, 1, 1)
    stack:init_param("readout.kernel_h", mlstm.UNIFORM, 0, 1, 1)
    return stack
end

local stack = create_stack()
local state = mlstm.state(stack, batch_size, truncated_backprop_length)
local grads = mlstm.grads(stack)
local optimizer = mlstm.adagrad(stack, 0.3, 0.1)
local logits = ffi.new("float[?]", positions * num_classes)
local dlogits = ffi.new("float[?]", positions * num_classes)

math.randomseed(1)
for epoch_idx = 0, (tonumber(arg[1]) or 100) - 1 do
    local x, y = generate_data()
    state:zero()
    print("New data, epoch " .. epoch_idx)
    for batch_idx = 0, num_batches - 1 do
        local start = batch_idx * positions
        state:begin_window()
        stack:forward(state, x + start, truncated_backprop_length, logits)
        local loss = mlstm.softmax_cross_entropy(logits, y + start, positions, num_classes, nil,
                                                 dlogits)
        grads:zero()
        stack:backward(state, {dy = dlogits}, grads)
        optimizer:apply_grads(stack, grads)
        if batch_idx % 100 == 0 then
            print(("Step %d Batch loss %g"):format(batch_idx, loss))
        end
    end
end
