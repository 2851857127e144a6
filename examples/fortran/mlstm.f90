! SPDX-License-Identifier: MIT
!
! libmlstm for Fortran. A procedure does what the C function of its name does; the C headers are the
! manual. Beyond them:
!
! - Objects free themselves when they go out of scope (those of a main program live as long as it
!   does), or at once by free(). They are made by create() and cannot be copied: an assignment stops
!   the program.
! - A call that fails sets stat, one of the C library's statuses, and errmsg, its sentence cut or
!   padded as Fortran's own are; without stat it stops the program with that sentence.
! - Arrays are contiguous and used where they lie. Fortran's first index runs fastest, so that C's
!   [T,B,I] is x(I,B,T) here. Parameters and the state tensor are flat, in C's order. Layers and
!   classes are counted from 0, as in C.
module mlstm
    use, intrinsic :: iso_c_binding
    use mlstm_c
    implicit none
    private

    integer(c_int32_t), parameter, public :: MLSTM_READOUT_C = 1, MLSTM_READOUT_H = 2
    integer(c_int32_t), parameter, public :: MLSTM_ZEROS = 0, MLSTM_UNIFORM = 1, &
        MLSTM_GLOROT_UNIFORM = 2
    integer(c_int32_t), parameter, public :: MLSTM_OK = 0, MLSTM_ERROR_INVALID_ARGUMENT = 1, &
        MLSTM_ERROR_OUT_OF_MEMORY = 2, MLSTM_ERROR_TOO_LARGE = 3, MLSTM_ERROR_MISMATCH = 4, &
        MLSTM_ERROR_OWNED = 5, MLSTM_ERROR_ORDER = 6, MLSTM_ERROR_NOT_FOUND = 7, &
        MLSTM_ERROR_NOT_FINITE = 8, MLSTM_ERROR_SYSTEM = 9

    public :: mlstm_softmax_cross_entropy, mlstm_squared_error

    ! What all objects are: a handle and the C function that frees it.
    type :: owner
        private
        type(c_ptr) :: handle = c_null_ptr
        procedure(c_cell_destroy), pointer, nopass :: destroy => null()
    contains
        procedure :: free => owner_free
        procedure, private :: owner_copy
        generic :: assignment(=) => owner_copy
        final :: owner_final
    end type

    ! One layer, described (cell.h).
    type, extends(owner), public :: mlstm_cell
    contains
        procedure :: create => cell_create
        procedure :: set_forget_bias => cell_set_forget_bias
    end type

    ! The layers, the readout, and every parameter (stack.h).
    type, extends(owner), public :: mlstm_stack
    contains
        procedure :: create => stack_create
        procedure :: set_readout => stack_set_readout
        procedure :: init => stack_init
        procedure :: init_param => stack_init_param
        procedure :: layer_count => stack_layer_count
        procedure :: hidden_size => stack_hidden_size
        procedure :: input_size => stack_input_size
        procedure :: output_size => stack_output_size
        procedure :: param_count => stack_param_count
        procedure :: param_info => stack_param_info
        procedure :: get_param => stack_get_param
        procedure :: set_param => stack_set_param
        procedure :: step_forward => stack_step_forward
        procedure :: forward => stack_forward
        procedure :: backward => stack_backward
    end type

    ! c and h of every layer, and the window that the backward pass walks (state.h).
    type, extends(owner), public :: mlstm_state
    contains
        procedure :: create => state_create
        procedure :: zero => state_zero
        procedure :: begin_window => state_begin_window
        procedure :: set_threads => state_set_threads
        procedure :: size => state_size
        procedure :: batch => state_batch
        procedure :: steps => state_steps
        procedure :: set => state_set
        procedure :: get => state_get
        procedure :: set_final_grad => state_set_final_grad
        procedure :: get_initial_grad => state_get_initial_grad
    end type

    ! One gradient for each parameter (grads.h).
    type, extends(owner), public :: mlstm_grads
    contains
        procedure :: create => grads_create
        procedure :: zero => grads_zero
        procedure :: scale => grads_scale
        procedure :: add => grads_add
        procedure :: norm => grads_norm
        procedure :: clip_norm => grads_clip_norm
        procedure :: get => grads_get
        procedure :: set => grads_set
    end type

    ! An update rule and its slots (optimizer.h).
    type, extends(owner), public :: mlstm_optimizer
    contains
        procedure :: create_sgd => optimizer_create_sgd
        procedure :: create_adagrad => optimizer_create_adagrad
        procedure :: set_rate => optimizer_set_rate
        procedure :: get_slot => optimizer_get_slot
        procedure :: set_slot => optimizer_set_slot
        procedure :: apply_grads => optimizer_apply_grads
    end type

contains

    ! Errors.

    function text_of(pointer) result(text)
        type(c_ptr), intent(in) :: pointer
        character(:), allocatable :: text
        character(kind=c_char), pointer :: letters(:)
        integer :: i
        call c_f_pointer(pointer, letters, [c_strlen(pointer)])
        allocate (character(size(letters)) :: text)
        do i = 1, size(letters)
            text(i:i) = letters(i)
        end do
    end function

    subroutine finish(status, stat, errmsg, sentence)
        integer(c_int32_t), intent(in) :: status
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(*), intent(in), optional :: sentence
        character(:), allocatable :: message
        if (present(stat)) stat = status
        if (status == MLSTM_OK) return
        if (present(sentence)) then
            message = sentence
        else
            message = text_of(c_last_error())
        end if
        if (present(errmsg)) errmsg = message
        if (.not. present(stat)) error stop message
    end subroutine

    ! Whether an array has its shape; ends the call where it has another. What has no size yet, as
    ! with no steps, is left to the library.
    function fits(name, got, expected, stat, errmsg)
        logical :: fits
        character(*), intent(in) :: name
        integer, intent(in) :: got(:), expected(:)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(100) :: shapes
        fits = any(expected == 0) .or. all(got == expected)
        if (fits) return
        write (shapes, '(*(i0, 1x))') expected
        shapes(len_trim(shapes) + 1:) = ", got"
        write (shapes(len_trim(shapes) + 2:), '(*(i0, 1x))') got
        call finish(MLSTM_ERROR_MISMATCH, stat, errmsg, &
            name // " should have the shape " // trim(shapes))
    end function

    ! Ownership.

    subroutine owner_free(self)
        class(owner), intent(inout) :: self
        if (c_associated(self%handle)) call self%destroy(self%handle)
        self%handle = c_null_ptr
    end subroutine

    impure elemental subroutine owner_final(self)
        type(owner), intent(inout) :: self
        call self%free()
    end subroutine

    subroutine owner_copy(self, other)
        class(owner), intent(inout) :: self
        class(owner), intent(in) :: other
        if (.not. c_associated(self%handle, other%handle)) error stop "a handle cannot be copied"
    end subroutine

    ! Ends a create: what the object held before is freed where there is something new.
    subroutine take(self, handle, destroy, status, stat, errmsg)
        class(owner), intent(inout) :: self
        type(c_ptr), intent(in) :: handle
        procedure(c_cell_destroy) :: destroy
        integer(c_int32_t), intent(in) :: status
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        if (status == MLSTM_OK) then
            call self%free()
            self%handle = handle
            self%destroy => destroy
        end if
        call finish(status, stat, errmsg)
    end subroutine

    ! Cell.

    subroutine cell_create(self, input_size, hidden_size, stat, errmsg)
        class(mlstm_cell), intent(inout) :: self
        integer(c_int32_t), intent(in) :: input_size
        integer(c_int32_t), intent(in) :: hidden_size
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_cell_create(input_size, hidden_size, handle)
        call take(self, handle, c_cell_destroy, status, stat, errmsg)
    end subroutine

    subroutine cell_set_forget_bias(self, forget_bias, stat, errmsg)
        class(mlstm_cell), intent(inout) :: self
        real(c_float), intent(in) :: forget_bias
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_cell_set_forget_bias(self%handle, forget_bias), stat, errmsg)
    end subroutine

    ! Stack.

    ! Takes the cells over: they hold nothing afterwards. On failure they stay as they are.
    subroutine stack_create(self, cells, stat, errmsg)
        class(mlstm_stack), intent(inout) :: self
        type(mlstm_cell), intent(inout) :: cells(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle, handles(size(cells))
        integer(c_int32_t) :: status
        integer :: i
        do i = 1, size(cells)
            handles(i) = cells(i)%handle
        end do
        status = c_stack_create(handles, size(cells, kind=c_int32_t), handle)
        if (status == MLSTM_OK) then
            do i = 1, size(cells)
                cells(i)%handle = c_null_ptr
            end do
        end if
        call take(self, handle, c_stack_destroy, status, stat, errmsg)
    end subroutine

    subroutine stack_set_readout(self, outputs, sources, stat, errmsg)
        class(mlstm_stack), intent(inout) :: self
        integer(c_int32_t), intent(in) :: outputs
        integer(c_int32_t), intent(in) :: sources
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_stack_set_readout(self%handle, outputs, sources), stat, errmsg)
    end subroutine

    subroutine stack_init(self, initializer, seed, stat, errmsg)
        class(mlstm_stack), intent(inout) :: self
        integer(c_int32_t), intent(in) :: initializer
        integer(c_int64_t), intent(in) :: seed
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_stack_init(self%handle, initializer, seed), stat, errmsg)
    end subroutine

    subroutine stack_init_param(self, name, initializer, a, b, seed, stat, errmsg)
        class(mlstm_stack), intent(inout) :: self
        character(*), intent(in) :: name
        integer(c_int32_t), intent(in) :: initializer
        real(c_float), intent(in) :: a
        real(c_float), intent(in) :: b
        integer(c_int64_t), intent(in) :: seed
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_stack_init_param(self%handle, trim(name) // c_null_char, initializer, &
            a, b, seed), stat, errmsg)
    end subroutine

    function stack_layer_count(self)
        integer(c_int32_t) :: stack_layer_count
        class(mlstm_stack), intent(in) :: self
        stack_layer_count = c_stack_layer_count(self%handle)
    end function

    function stack_hidden_size(self, layer)
        integer(c_int32_t) :: stack_hidden_size
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        stack_hidden_size = c_cell_hidden_size(c_stack_cell(self%handle, layer))
    end function

    function stack_input_size(self)
        integer(c_int32_t) :: stack_input_size
        class(mlstm_stack), intent(in) :: self
        stack_input_size = c_stack_input_size(self%handle)
    end function

    function stack_output_size(self)
        integer(c_int32_t) :: stack_output_size
        class(mlstm_stack), intent(in) :: self
        stack_output_size = c_stack_output_size(self%handle)
    end function

    function stack_param_count(self)
        integer(c_int32_t) :: stack_param_count
        class(mlstm_stack), intent(in) :: self
        stack_param_count = c_stack_param_count(self%handle)
    end function

    ! Name and shape, in C's order, of a parameter, counted from 0.
    subroutine stack_param_info(self, index, name, dims, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: index
        character(:), allocatable, intent(out) :: name
        integer(c_int32_t), allocatable, intent(out) :: dims(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: letters
        integer(c_int32_t) :: status, rank, both(2)
        status = c_stack_param_info(self%handle, index, letters, rank, both)
        if (status == MLSTM_OK) then
            name = text_of(letters)
            dims = both(:rank)
        end if
        call finish(status, stat, errmsg)
    end subroutine

    subroutine stack_get_param(self, name, values, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_stack_get_param(self%handle, trim(name) // c_null_char, &
            values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine stack_set_param(self, name, values, stat, errmsg)
        class(mlstm_stack), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(in) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_stack_set_param(self%handle, trim(name) // c_null_char, &
            values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    ! x(I,B) gives y(O,B).
    subroutine stack_step_forward(self, state, x, y, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        type(mlstm_state), intent(inout) :: state
        real(c_float), contiguous, intent(in) :: x(:, :)
        real(c_float), contiguous, target, intent(inout), optional :: y(:, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: batch
        type(c_ptr) :: to_y
        to_y = c_null_ptr
        batch = state%batch()
        if (.not. fits("x", shape(x), [self%input_size(), batch], stat, errmsg)) return
        if (present(y)) then
            if (.not. fits("y", shape(y), [self%output_size(), batch], stat, errmsg)) return
            to_y = c_loc(y)
        end if
        call finish(c_step_forward(self%handle, state%handle, x, to_y), stat, errmsg)
    end subroutine

    ! x(I,B,T) gives y(O,B,T).
    subroutine stack_forward(self, state, x, y, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        type(mlstm_state), intent(inout) :: state
        real(c_float), contiguous, intent(in) :: x(:, :, :)
        real(c_float), contiguous, target, intent(inout), optional :: y(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: rows(2)
        type(c_ptr) :: to_y
        to_y = c_null_ptr
        rows = [state%batch(), size(x, 3)]
        if (.not. fits("x", shape(x), [self%input_size(), rows], stat, errmsg)) return
        if (present(y)) then
            if (.not. fits("y", shape(y), [self%output_size(), rows], stat, errmsg)) return
            to_y = c_loc(y)
        end if
        call finish(c_forward(self%handle, state%handle, x, rows(2), to_y), stat, errmsg)
    end subroutine

    ! From dy(O,B,T), dh_top and dc_top(H,B,T) to dx(I,B,T) and grads, each of which may be absent.
    subroutine stack_backward(self, state, dy, dh_top, dc_top, dx, grads, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        type(mlstm_state), intent(inout) :: state
        real(c_float), contiguous, target, intent(in), optional :: dy(:, :, :)
        real(c_float), contiguous, target, intent(in), optional :: dh_top(:, :, :), dc_top(:, :, :)
        real(c_float), contiguous, target, intent(inout), optional :: dx(:, :, :)
        type(mlstm_grads), intent(inout), optional :: grads
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: gradients
        integer :: rows(2), top
        type(c_ptr) :: to_dy, to_dh_top, to_dc_top, to_dx
        to_dy = c_null_ptr
        to_dh_top = c_null_ptr
        to_dc_top = c_null_ptr
        to_dx = c_null_ptr
        rows = [state%batch(), state%steps()]
        top = self%hidden_size(self%layer_count() - 1)
        if (present(dy)) then
            if (.not. fits("dy", shape(dy), [self%output_size(), rows], stat, errmsg)) return
            to_dy = c_loc(dy)
        end if
        if (present(dh_top)) then
            if (.not. fits("dh_top", shape(dh_top), [top, rows], stat, errmsg)) return
            to_dh_top = c_loc(dh_top)
        end if
        if (present(dc_top)) then
            if (.not. fits("dc_top", shape(dc_top), [top, rows], stat, errmsg)) return
            to_dc_top = c_loc(dc_top)
        end if
        if (present(dx)) then
            if (.not. fits("dx", shape(dx), [self%input_size(), rows], stat, errmsg)) return
            to_dx = c_loc(dx)
        end if
        gradients = c_null_ptr
        if (present(grads)) gradients = grads%handle
        call finish(c_backward(self%handle, state%handle, to_dy, to_dh_top, &
            to_dc_top, to_dx, gradients), stat, errmsg)
    end subroutine

    ! State.

    subroutine state_create(self, stack, batch, window, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        integer(c_int32_t), intent(in) :: batch
        integer(c_int32_t), intent(in) :: window
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_state_create(stack%handle, batch, window, handle)
        call take(self, handle, c_state_destroy, status, stat, errmsg)
    end subroutine

    subroutine state_zero(self, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_zero(self%handle), stat, errmsg)
    end subroutine

    subroutine state_begin_window(self, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_begin_window(self%handle), stat, errmsg)
    end subroutine

    subroutine state_set_threads(self, threads, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(in) :: threads
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_set_threads(self%handle, threads), stat, errmsg)
    end subroutine

    function state_size(self)
        integer(c_int32_t) :: state_size
        class(mlstm_state), intent(in) :: self
        state_size = int(c_state_size(self%handle), c_int32_t)
    end function

    function state_batch(self)
        integer(c_int32_t) :: state_batch
        class(mlstm_state), intent(in) :: self
        state_batch = c_state_batch(self%handle)
    end function

    function state_steps(self)
        integer(c_int32_t) :: state_steps
        class(mlstm_state), intent(in) :: self
        state_steps = c_state_steps(self%handle)
    end function

    subroutine state_set(self, values, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        real(c_float), contiguous, intent(in) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_set(self%handle, values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine state_get(self, values, stat, errmsg)
        class(mlstm_state), intent(in) :: self
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_get(self%handle, values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine state_set_final_grad(self, values, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        real(c_float), contiguous, intent(in) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_set_final_grad(self%handle, values, size(values, kind=c_size_t)), &
            stat, errmsg)
    end subroutine

    subroutine state_get_initial_grad(self, values, stat, errmsg)
        class(mlstm_state), intent(in) :: self
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_get_initial_grad(self%handle, values, size(values, kind=c_size_t)), &
            stat, errmsg)
    end subroutine

    ! Gradients.

    subroutine grads_create(self, stack, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_grads_create(stack%handle, handle)
        call take(self, handle, c_grads_destroy, status, stat, errmsg)
    end subroutine

    subroutine grads_zero(self, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_zero(self%handle), stat, errmsg)
    end subroutine

    subroutine grads_scale(self, factor, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        real(c_float), intent(in) :: factor
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_scale(self%handle, factor), stat, errmsg)
    end subroutine

    subroutine grads_add(self, other, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        type(mlstm_grads), intent(in) :: other
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_add(self%handle, other%handle), stat, errmsg)
    end subroutine

    subroutine grads_norm(self, norm, stat, errmsg)
        class(mlstm_grads), intent(in) :: self
        real(c_float), intent(inout) :: norm
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_norm(self%handle, norm), stat, errmsg)
    end subroutine

    ! norm is the one before.
    subroutine grads_clip_norm(self, max_norm, norm, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        real(c_float), intent(in) :: max_norm
        real(c_float), intent(inout), optional :: norm
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_clip_norm(self%handle, max_norm, norm), stat, errmsg)
    end subroutine

    subroutine grads_get(self, name, values, stat, errmsg)
        class(mlstm_grads), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_get(self%handle, trim(name) // c_null_char, &
            values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine grads_set(self, name, values, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(in) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_set(self%handle, trim(name) // c_null_char, &
            values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    ! Optimizers.

    subroutine optimizer_create_sgd(self, stack, rate, momentum, nesterov, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, momentum
        logical, intent(in) :: nesterov
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_sgd_create(stack%handle, rate, momentum, merge(1, 0, nesterov), handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_adagrad(self, stack, rate, initial_accumulator, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate
        real(c_float), intent(in) :: initial_accumulator
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_adagrad_create(stack%handle, rate, initial_accumulator, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_set_rate(self, rate, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        real(c_float), intent(in) :: rate
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_rate(self%handle, rate), stat, errmsg)
    end subroutine

    subroutine optimizer_get_slot(self, slot, name, values, stat, errmsg)
        class(mlstm_optimizer), intent(in) :: self
        character(*), intent(in) :: slot
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_get_slot(self%handle, trim(slot) // c_null_char, &
            trim(name) // c_null_char, values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine optimizer_set_slot(self, slot, name, values, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        character(*), intent(in) :: slot
        character(*), intent(in) :: name
        real(c_float), contiguous, intent(in) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_slot(self%handle, trim(slot) // c_null_char, &
            trim(name) // c_null_char, values, size(values, kind=c_size_t)), stat, errmsg)
    end subroutine

    subroutine optimizer_apply_grads(self, stack, grads, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(inout) :: stack
        type(mlstm_grads), intent(in) :: grads
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_apply_grads(self%handle, stack%handle, grads%handle), stat, errmsg)
    end subroutine

    ! Losses.

    ! logits(O,B,T) with labels(B,T), whose classes are counted from 0.
    subroutine mlstm_softmax_cross_entropy(logits, labels, loss, probabilities, dlogits, &
            stat, errmsg)
        real(c_float), contiguous, intent(in) :: logits(:, :, :)
        integer(c_int32_t), contiguous, intent(in) :: labels(:, :)
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: probabilities(:, :, :)
        real(c_float), contiguous, target, intent(inout), optional :: dlogits(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: expected(3)
        type(c_ptr) :: to_probabilities, to_dlogits
        to_probabilities = c_null_ptr
        to_dlogits = c_null_ptr
        expected = shape(logits)
        if (.not. fits("labels", shape(labels), expected(2:), stat, errmsg)) return
        if (present(probabilities)) then
            if (.not. fits("probabilities", shape(probabilities), expected, stat, errmsg)) return
            to_probabilities = c_loc(probabilities)
        end if
        if (present(dlogits)) then
            if (.not. fits("dlogits", shape(dlogits), expected, stat, errmsg)) return
            to_dlogits = c_loc(dlogits)
        end if
        call finish(c_softmax_cross_entropy(logits, labels, size(labels, kind=c_size_t), &
            expected(1), to_probabilities, to_dlogits, loss), stat, errmsg)
    end subroutine

    ! outputs and targets are (O,B,T).
    subroutine mlstm_squared_error(outputs, targets, loss, doutputs, stat, errmsg)
        real(c_float), contiguous, intent(in) :: outputs(:, :, :), targets(:, :, :)
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: doutputs(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_doutputs
        to_doutputs = c_null_ptr
        if (.not. fits("targets", shape(targets), shape(outputs), stat, errmsg)) return
        if (present(doutputs)) then
            if (.not. fits("doutputs", shape(doutputs), shape(outputs), stat, errmsg)) return
            to_doutputs = c_loc(doutputs)
        end if
        call finish(c_squared_error(outputs, targets, size(outputs, kind=c_size_t), &
            to_doutputs, loss), stat, errmsg)
    end subroutine

end module
