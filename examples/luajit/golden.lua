-- SPDX-License-Identifier: MIT
--
-- The golden windows of the file that MLSTM_GOLDEN names, and the network that they are for.

local ffi = require("ffi")
local mlstm = require("mlstm")

local golden = {T = 15, B = 5, H = 4, L = 3, O = 2}
local T, B, H, L, O = golden.T, golden.B, golden.H, golden.L, golden.O

-- What the file calls a parameter of the library.
local names = {["readout.kernel_c"] = "W1", ["readout.kernel_h"] = "W2", ["readout.bias"] = "b2"}
for layer = 0, L - 1 do
    names[("layer%d.kernel"):format(layer)] = "kernel_" .. layer
    names[("layer%d.bias"):format(layer)] = "bias_" .. layer
end

local function read(file)
    local records = {}
    local lines = io.lines(file)
    for line in lines do
        local kind, path, text = line:match("^(%S) (%S+) (.*)")
        records[path] = kind == "T" and lines() or text
    end
    return records
end

local records = read(assert(os.getenv("MLSTM_GOLDEN")))

-- The numbers of a path as an FFI array.
function golden.array(kind, path)
    local numbers = {}
    for number in assert(records[path], path):gmatch("%S+") do
        numbers[#numbers + 1] = assert(tonumber(number))
    end
    return ffi.new(kind .. "[?]", #numbers, numbers)
end

function golden.create_stack()
    local cells = {}
    for layer = 1, L do cells[layer] = mlstm.cell(layer == 1 and 1 or H, H) end
    local stack = mlstm.stack(cells)
    stack:set_readout(O, mlstm.READOUT_C + mlstm.READOUT_H)
    return stack
end

function golden.set_params(stack, folder)
    for _, param in ipairs(stack:params()) do
        stack:set_param(param.name, golden.array("float", folder .. names[param.name]))
    end
end

-- The file has [B,T], the library takes [T,B].
local function columns_of(kind, path)
    local rows, columns = golden.array(kind, path), ffi.new(kind .. "[?]", T * B)
    for b = 0, B - 1 do
        for t = 0, T - 1 do columns[t * B + b] = rows[b * T + t] end
    end
    return columns
end

-- The loss of a window.
function golden.forward(stack, state, window, dlogits)
    local x = columns_of("float", ("windows/%d/x"):format(window))
    local y = columns_of("int32_t", ("windows/%d/y"):format(window))
    local logits = ffi.new("float[?]", T * B * O)
    state:begin_window()
    for t = 0, T - 1 do stack:step_forward(state, x + t * B, logits + t * B * O) end
    return mlstm.softmax_cross_entropy(logits, y, T * B, O, nil, dlogits)
end

function golden.expect_loss(window, loss, tolerance)
    local expected = tonumber(records[("windows/%d/loss"):format(window)])
    assert(math.abs(loss - expected) <= tolerance * expected,
           ("window %d: loss %.9g, expected %.9g"):format(window, loss, expected))
end

return golden
