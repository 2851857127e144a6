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

-- A bidirectional layer with most options below one with the rest.
local function create_variants()
    local below, above = mlstm.cell(2, 6), mlstm.cell(8, 8)
    below:set_biases(2)
    below:set_peepholes(true)
    below:set_projection(4)
    below:set_projection_clip(3)
    below:set_cell_clip(5)
    below:set_bidirectional(mlstm.MERGE_CONCAT)
    below:set_learned_state(true)
    above:set_coupled(true)
    above:set_norm(mlstm.NORM_PRODUCTS, 0.125)
    above:set_zoneout(0.25, 0.125)
    above:set_dropout(0.125, mlstm.MASK_SEQUENCE)
    above:set_recurrent_dropout(0.25, mlstm.DROP_CANDIDATE, mlstm.MASK_SEQUENCE)
    above:set_skip(mlstm.SKIP_RESIDUAL)
    local stack = mlstm.stack {below, above}
    stack:set_readout(1, mlstm.READOUT_H)
    stack:init(mlstm.ORTHOGONAL, 1)
    stack:init_param("layer0.peephole_i", mlstm.TRUNCATED_NORMAL, 0, 0.1, 1)
    return stack
end

local function expect_equal(expected, ...)
    assert(select("#", ...) == #expected)
    for i, value in ipairs(expected) do
        local got = select(i, ...)
        assert(got == value, ("%d: %s, expected %s"):format(i, tostring(got), tostring(value)))
    end
end

local function test_options()
    local stack = create_variants()
    local below, above = stack:cell(0), stack:cell(1)
    expect_equal({2, true, 4, 3, 5, mlstm.MERGE_CONCAT, true, 4, 8, 12}, below:biases(),
                 below:peepholes(), below:projection(), below:projection_clip(), below:cell_clip(),
                 below:bidirectional(), below:learned_state(), below:recurrent_size(),
                 below:output_size(), below:output_c_size())
    assert(stack:readout() == mlstm.READOUT_H)
    expect_equal({mlstm.NORM_PRODUCTS, 0.125}, above:norm())
    expect_equal({0.25, 0.125}, above:zoneout())
    expect_equal({0.125, mlstm.MASK_SEQUENCE}, above:dropout())
    expect_equal({0.25, mlstm.DROP_CANDIDATE, mlstm.MASK_SEQUENCE}, above:recurrent_dropout())
    expect_equal({true, mlstm.SKIP_RESIDUAL, false, 8}, above:coupled(), above:skip(),
                 above:peepholes(), above:recurrent_size())
    assert(not pcall(above.set_skip, above, mlstm.SKIP_NONE), "a cell of a stack was changed")
    local shapes = {}
    for _, param in ipairs(stack:params()) do shapes[param.name] = param.shape end
    expect_equal(shapes["layer0.reverse.projection"], 6, 4)
    expect_equal(shapes["layer0.peephole_i"], 6)
    expect_error("INVALID_ARGUMENT", "rate", function() mlstm.cell(1, 1):set_dropout(1, 0) end)
end

-- Rows of 4, 2 and 3 steps learn the first number of each pair.
local function test_training()
    local lengths = ffi.new("int32_t[3]", 4, 2, 3)
    local x, y = ffi.new("float[24]"), ffi.new("float[12]")
    local targets, dy = ffi.new("float[12]"), ffi.new("float[12]")
    for i = 0, 11 do
        x[2 * i], x[2 * i + 1] = i % 5 / 5 - 0.4, 1
        targets[i] = math.floor(i / 3) < lengths[i % 3] and x[2 * i] or 0
    end
    local stack = create_variants()
    local state, grads = mlstm.state(stack, 3, 4), mlstm.grads(stack)
    local optimizer = mlstm.adamw(stack, 0.02)
    optimizer:set_weight_decay("readout.bias", 0)
    optimizer:set_frozen("layer1.kernel", true)
    assert(optimizer:frozen("layer1.kernel") and optimizer:weight_decay("readout.bias") == 0)
    assert(optimizer:weight_decay("layer0.kernel") > 0)
    local function kernel()
        local values = ffi.new("float[?]", 16 * 32)
        stack:get_param("layer1.kernel", values)
        return ffi.string(values, ffi.sizeof(values))
    end
    local frozen = kernel()

    local function loss()
        state:begin_sequence(stack)
        state:set_lengths(lengths)
        stack:forward(state, x, 4, y)
        assert(y[10] == 0 and y[11] == 0, "rows do not end")
        return mlstm.huber_loss(y, targets, 12, 1, dy)
    end
    local before = loss()
    for update = 1, 60 do
        state:set_training(true, update)
        assert(state:training())
        loss()
        grads:zero()
        stack:backward(state, {dy = dy}, grads)
        grads:clip_value(1)
        optimizer:set_rate(mlstm.schedule_warmup(0.02, optimizer:step_count(), 10, 0.1))
        optimizer:apply_grads(stack, grads)
    end
    state:set_training(false)
    local learned = loss()
    assert(learned < before / 4, ("loss %g, then %g"):format(before, learned))
    assert(kernel() == frozen, "what was frozen has changed")

    local c, h = ffi.new("float[?]", 2 * 3 * 6), ffi.new("float[?]", 2 * 3 * 4)
    state:get_layer(0, c, h)
    state:set_layer(0, c, h)
    expect_error("MISMATCH", "h should have 24", function() state:set_layer(0, c, c) end)
    loss()
    local top = ffi.new("float[?]", 4 * 3 * 8)
    state:get_top(top)
    stack:backward(state, {dh_top = top, dc_top = top}, grads)
    expect_error("ORDER", "bidirectional", function() state:keep_steps(1) end)
    grads:check()
    grads:set("readout.bias", ffi.new("float[1]", math.huge))
    expect_error("NOT_FINITE", "readout.bias", function() grads:check() end)
    expect_error("NOT_FINITE", "readout.bias", function() grads:clip_param_norm(1) end)
end

-- The bytes of every parameter after one update.
local function update_once(on_threads)
    local stack = create_variants()
    local state, grads = mlstm.state(stack, 3, 4), mlstm.grads(stack)
    local optimizer = mlstm.adamw(stack, 0.5)
    state:set_threads(2)
    stack:forward(state, ffi.new("float[24]", 0.5), 4)
    stack:backward(state, {dy = ffi.new("float[12]", 1)}, grads)
    if on_threads then
        state:apply_grads(optimizer, stack, grads)
    else
        optimizer:apply_grads(stack, grads)
    end
    local all = {}
    for i, param in ipairs(stack:params()) do
        local values = ffi.new("float[?]", param.shape[1] * (param.shape[2] or 1))
        stack:get_param(param.name, values)
        all[i] = ffi.string(values, ffi.sizeof(values))
    end
    return table.concat(all)
end

local function test_optimizers()
    local stack = network.create_stack()
    local grads, bias = mlstm.grads(stack), ffi.new("float[2]", 1, -1)
    grads:set("readout.bias", bias)
    local slots = {}
    for _, rule in ipairs {
        "sgd", "adagrad", "rmsprop", "adam", "adamw", "amsgrad", "nadam", "lion",
    } do
        local optimizer = mlstm[rule](stack, 0.5)
        stack:init(mlstm.ZEROS, 0)
        optimizer:set_step_count(7)
        optimizer:apply_grads(stack, grads)
        stack:get_param("readout.bias", bias)
        assert(bias[0] < 0 and bias[1] == -bias[0] and optimizer:step_count() == 8, rule)
        slots[#slots + 1] = #optimizer:slots()
        expect_error("INVALID_ARGUMENT", "rate", function()
            optimizer:set_rate(mlstm.schedule_cosine(0.5, -1, 10, 0))
        end)
    end
    expect_equal({0, 1, 2, 2, 2, 3, 2, 1}, unpack(slots))
    assert(update_once(true) == update_once(false), "an update on threads is another")
end

local function test_version()
    local number = mlstm.version_number
    assert(mlstm.version == string.format("%d.%d.%d", number / 10000, number / 100 % 100,
                                         number % 100),
           mlstm.version .. " is not " .. number)
end

local function test_losses()
    local outputs, targets = ffi.new("float[2]", 0, 3), ffi.new("float[2]", 0, 1)
    local gradient, dlogits = ffi.new("float[2]"), ffi.new("float[4]")
    assert(mlstm.absolute_error(outputs, targets, 2, gradient) == 1 and gradient[1] == 0.5)
    assert(mlstm.huber_loss(outputs, targets, 2, 1) == 0.75)
    assert(mlstm.squared_error(outputs, targets, 2) == 2)
    local function near(a, b) assert(math.abs(a - b) < 1e-6, a .. " for " .. b) end
    near(mlstm.sigmoid_cross_entropy(ffi.new("float[1]"), ffi.new("float[1]", 1), 1), math.log(2))
    near(mlstm.softmax_cross_entropy_weighted(
        ffi.new("float[4]", 0, 0, 5, 9), ffi.new("int32_t[2]", 1, -1), ffi.new("float[2]", 2, 3),
        2, 2, nil, nil, nil, dlogits), 2 * math.log(2))
    assert(dlogits[0] == 1 and dlogits[2] == 0)
    local p = ffi.new("float[4]", 0, 0, 5, 5 + math.log(3))
    mlstm.softmax(p, 2, 2, p)
    near(p[1], 0.5)
    near(p[3], 0.75)
    expect_error("MISMATCH", "logits", function() mlstm.softmax(p, 3, 2, p) end)
    expect_error("INVALID_ARGUMENT", "classes", function() mlstm.softmax(p, 2, -2, p) end)
    local ones, weights = ffi.new("float[2]", 1, 1), ffi.new("float[2]", 0, 2)
    local plain = ffi.new("float[2]")
    for kind, loss in pairs {
        [mlstm.SQUARED_ERROR] = mlstm.squared_error(outputs, targets, 2),
        [mlstm.ABSOLUTE_ERROR] = mlstm.absolute_error(outputs, targets, 2),
        [mlstm.SIGMOID_CROSS_ENTROPY] = mlstm.sigmoid_cross_entropy(outputs, targets, 2),
        [mlstm.HUBER_LOSS] = mlstm.huber_loss(outputs, targets, 2, 0.5),
    } do
        near(mlstm.weighted_loss(kind, outputs, targets, ones, 2, 1, 0.5), loss)
    end
    mlstm.squared_error(outputs, targets, 2, plain)
    mlstm.weighted_loss(mlstm.SQUARED_ERROR, outputs, targets, ones, 2, 1, nil, gradient)
    near(gradient[0], plain[0])
    near(gradient[1], plain[1])
    assert(mlstm.weighted_loss(mlstm.ABSOLUTE_ERROR, outputs, targets, weights, 2, 1, nil,
                               gradient) == 4)
    assert(gradient[0] == 0 and gradient[1] == 2, "a weight of 0")
    expect_error("MISMATCH", "weights", function()
        mlstm.weighted_loss(mlstm.ABSOLUTE_ERROR, outputs, targets, dlogits, 2, 1)
    end)
    local scale = mlstm.loss_scale(8, 2)
    expect_equal({8, 16, 16, 8}, scale:update(true), scale:update(true), scale:update(true),
                 scale:update(false))
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
test_version()
test_errors()
test_ownership()
test_memory() -- early, as each test gives the compiler more memory of its own
test_options()
test_training()
test_optimizers()
test_losses()
test_threads()
