-- SPDX-License-Identifier: MIT
--
-- Runs Lua on threads of the operating system: each has a Lua state of its own, as the language has
-- no threads that share one.

local ffi = require("ffi")

ffi.cdef [[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *state);
int luaL_loadstring(lua_State *state, const char *code);
int lua_pcall(lua_State *state, int arguments, int results, int handler);
double lua_tonumber(lua_State *state, int index);
const char *lua_tolstring(lua_State *state, int index, size_t *length);
void lua_close(lua_State *state);
int pthread_create(unsigned long *thread, const void *attributes, void *(*run)(void *),
                   void *argument);
int pthread_join(unsigned long thread, void **result);
]]

local threads = {}

local function call(state, results)
    if ffi.C.lua_pcall(state, 0, results, 0) ~= 0 then
        error(ffi.string(ffi.C.lua_tolstring(state, -1, nil)))
    end
end

local function run(state, code, results)
    if ffi.C.luaL_loadstring(state, code) ~= 0 then
        error(ffi.string(ffi.C.lua_tolstring(state, -1, nil)))
    end
    call(state, results)
end

-- Starts `count` threads with the same code, which defines a function work() that returns a number,
-- and gives the numbers once all have ended; nil for a thread whose work failed.
function threads.run(count, code)
    local all = {}
    for i = 1, count do
        local thread = {state = ffi.C.luaL_newstate(), id = ffi.new("unsigned long[1]")}
        ffi.C.luaL_openlibs(thread.state)
        run(thread.state, code .. [[

            local ffi = require("ffi")
            local function guarded()
                local ok, number = pcall(work)
                if ok then result = number else io.stderr:write(tostring(number), "\n") end
            end
            callback = ffi.cast("void *(*)(void *)", function() guarded() end)
            address = tonumber(ffi.cast("uintptr_t", callback))
        ]], 0)
        run(thread.state, "return address", 1)
        local address = ffi.C.lua_tonumber(thread.state, -1)
        assert(ffi.C.pthread_create(thread.id, nil, ffi.cast("void *(*)(void *)",
               ffi.cast("uintptr_t", address)), nil) == 0)
        all[i] = thread
    end
    local numbers = {}
    for i, thread in ipairs(all) do
        ffi.C.pthread_join(thread.id[0], nil)
        run(thread.state, "return result or 0/0", 1)
        local number = ffi.C.lua_tonumber(thread.state, -1)
        numbers[i] = number == number and number or nil
        ffi.C.lua_close(thread.state)
    end
    return numbers
end

return threads
