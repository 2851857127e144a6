-- SPDX-License-Identifier: MIT
--
-- The wrapper against the golden windows that MLSTM_GOLDEN names, and its promises.

local ffi = require("ffi")
local mlstm = require("mlstm")
local network = require("golden")
local threads = require("threads")

local T, B, O, L = network.T, network.B, network.O, network.L

local function expect_error(status, part, call)
    local ok, failure = pcall(call)
    assert(not ok, "no error with " .. part)
    assert(failure.status == "MLSTM_ERROR_" .. status and failure.message:find(part, 1, true),
           "another error: " .. tostring(failure))
end

-- Every window in one chain of training, and from what the file gives before it.
local function test_golden()
    local stack, given = network.create_stack(), network.create_stack()
    local state, given_state = mlstm.state(stack, B, T), mlstm.state(given, B, T)
    local grads = mlstm.grads(stack)
    local optimizer = mlstm.adagrad(stack, 0.3, 0.1)
    local dlogits = ffi.new("float[?]", T * B * O)

    network.set_params(stack, "initial_params/")
    for window = 0, 19 do
        network.expect_loss(window, network.forward(stack, state, window, dlogits), 5e-6)
        grads:zero()
        stack:backward(state, {dy = dlogits}, grads)
        optimizer:apply_grads(stack, grads)

        local before = window == 0 and "initial_params/"
            or ("windows/%d/params_after/"):format(window - 1)
        network.set_params(given, before)
        given_state:set(network.array("float", ("windows/%d/init_state"):format(window)))
        network.expect_loss(window, network.forward(given, given_state, window, nil), 1e-6)
    end
end

local function test_errors()
    local stack = network.create_stack()
    local state = mlstm.state(stack, B, T)
    local x = ffi.new("float[?]", B + 1)
    expect_error("INVALID_ARGUMENT", "input_size", function() mlstm.cell(0, 4) end)
    expect_error("NOT_FOUND", "layer9.kernel", function() stack:get_param("layer9.kernel", x) end)
    expect_error("MISMATCH", "got 6", function() stack:set_param("readout.bias", x) end)
    expect_error("MISMATCH", "5 numbers, got 6", function() stack:step_forward(state, x) end)
    expect_error("INVALID_ARGUMENT", "x", function() stack:step_forward(state, nil) end)
    expect_error("ORDER", "record", function() stack:backward(state, {}) end)
    expect_error("INVALID_ARGUMENT", "layer", function() state:set_layer(L, x, x) end)
    local doubles = ffi.new("double[?]", B)
    assert(not pcall(stack.step_forward, stack, state, doubles), "doubles taken for floats")
end

local function test_ownership()
    local cells = {mlstm.cell(1, 4), mlstm.cell(5, 4)}
    expect_error("MISMATCH", "layer 1", function() mlstm.stack(cells) end)
    expect_error("OWNED", "", function() mlstm.stack {cells[1], cells[1]} end)
    local stack = mlstm.stack {cells[1]}
    assert(cells[1].handle == nil, "the cell still has its handle")
    cells[1]:free()
    assert(stack:hidden_size(0) == 4)
    stack:free()
    stack:free()
    expect_error("INVALID_ARGUMENT", "NULL", function() stack:init(mlstm.ZEROS, 0) end)
end

-- One stack, a state for each thread.
local function test_threads()
    local stack = network.create_stack()
    network.set_params(stack, "initial_params/")
    local norms = threads.run(4, ("package.path, shared = %q, %d"):format(package.path,
                                                                           stack:address()) .. [[

        function work()
            local ffi, mlstm, network = require("ffi"), require("mlstm"), require("golden")
            local stack = mlstm.borrow_stack(shared)
            local state = mlstm.state(stack, network.B, network.T)
            local grads = mlstm.grads(stack)
            local dlogits = ffi.new("float[?]", network.T * network.B * network.O)
            for _ = 1, 200 do
                state:zero()
                network.expect_loss(0, network.forward(stack, state, 0, dlogits), 1e-6)
                grads:zero()
                stack:backward(state, {dy = dlogits}, grads)
            end
            return grads:norm()
        end
    ]])
    for i = 1, 4 do
        assert(norms[i] and norms[i] > 0 and norms[i] == norms[1], "threads disagree")
    end
end

local function resident_bytes()
    local statm = assert(io.open("/proc/self/statm"))
    local pages = statm:read("*l"):match("%d+ (%d+)")
    statm:close()
    return tonumber(pages) * 4096
end

-- Freed by the collector alone.
local function test_memory()
    local function create_and_free(times)
        for i = 1, times do
            local stack = network.create_stack()
            mlstm.state(stack, B, T)
            mlstm.grads(stack)
            mlstm.adagrad(stack, 0.3)
            mlstm.cell(1, 1)
            if i % 100 == 0 then collectgarbage() end
        end
        collectgarbage()
        collectgarbage()
    end
    create_and_free(1000)
    local before = resident_bytes()
    create_and_free(10000)
    local growth = resident_bytes() - before
    assert(growth < 1000000, "memory grew by " .. growth .. " bytes")
end

test_golden()
test_errors()
test_ownership()
test_memory()
test_threads()
