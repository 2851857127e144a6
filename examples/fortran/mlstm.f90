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
        MLSTM_GLOROT_UNIFORM = 2, MLSTM_GLOROT_NORMAL = 3, MLSTM_HE_UNIFORM = 4, &
        MLSTM_HE_NORMAL = 5, MLSTM_NORMAL = 6, MLSTM_TRUNCATED_NORMAL = 7, MLSTM_CONSTANT = 8, &
        MLSTM_ORTHOGONAL = 9
    integer(c_int32_t), parameter, public :: MLSTM_NORM_NONE = 0, MLSTM_NORM_GATES = 1, &
        MLSTM_NORM_PRODUCTS = 2, MLSTM_MASK_STEP = 0, MLSTM_MASK_SEQUENCE = 1, &
        MLSTM_DROP_HIDDEN = 0, MLSTM_DROP_CANDIDATE = 1, MLSTM_SKIP_NONE = 0, &
        MLSTM_SKIP_RESIDUAL = 1, MLSTM_SKIP_HIGHWAY = 2, MLSTM_MERGE_NONE = 0, &
        MLSTM_MERGE_CONCAT = 1, MLSTM_MERGE_SUM = 2
    ! C's names of these are those of procedures here, as case does not count.
    integer(c_int32_t), parameter, public :: MLSTM_LOSS_SQUARED = 0, MLSTM_LOSS_ABSOLUTE = 1, &
        MLSTM_LOSS_HUBER = 2, MLSTM_LOSS_SIGMOID = 3
    integer(c_int32_t), parameter, public :: MLSTM_OK = 0, MLSTM_ERROR_INVALID_ARGUMENT = 1, &
        MLSTM_ERROR_OUT_OF_MEMORY = 2, MLSTM_ERROR_TOO_LARGE = 3, MLSTM_ERROR_MISMATCH = 4, &
        MLSTM_ERROR_OWNED = 5, MLSTM_ERROR_ORDER = 6, MLSTM_ERROR_NOT_FOUND = 7, &
        MLSTM_ERROR_NOT_FINITE = 8, MLSTM_ERROR_SYSTEM = 9

    public :: mlstm_version, mlstm_version_number, mlstm_isa
    public :: mlstm_softmax, mlstm_softmax_cross_entropy, mlstm_softmax_cross_entropy_weighted, &
        mlstm_sigmoid_cross_entropy, mlstm_absolute_error, mlstm_huber_loss, mlstm_squared_error, &
        mlstm_weighted_loss
    public :: mlstm_schedule_step, mlstm_schedule_exponential, mlstm_schedule_cosine, &
        mlstm_schedule_warmup, mlstm_schedule_loss_scale

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

    ! The options of a cell (cell.h), at first those of a new one.
    type, public :: mlstm_options
        real(c_float) :: forget_bias = 1
        integer(c_int32_t) :: biases = 1
        logical :: peepholes = .false.
        integer(c_int32_t) :: projection = 0
        real(c_float) :: projection_clip = 0, cell_clip = 0
        logical :: coupled = .false.
        integer(c_int32_t) :: norm = MLSTM_NORM_NONE
        real(c_float) :: norm_epsilon = 0
        real(c_float) :: zoneout_c = 0, zoneout_h = 0
        real(c_float) :: dropout = 0
        integer(c_int32_t) :: dropout_mask = MLSTM_MASK_STEP
        real(c_float) :: recurrent_dropout = 0
        integer(c_int32_t) :: recurrent_dropout_what = MLSTM_DROP_HIDDEN
        integer(c_int32_t) :: recurrent_dropout_mask = MLSTM_MASK_STEP
        integer(c_int32_t) :: skip = MLSTM_SKIP_NONE, bidirectional = MLSTM_MERGE_NONE
        logical :: learned_state = .false.
    end type

    ! One layer, described (cell.h).
    type, extends(owner), public :: mlstm_cell
    contains
        procedure :: create => cell_create
        procedure :: set_forget_bias => cell_set_forget_bias
        procedure :: set_options => cell_set_options
    end type

    ! The layers, the readout, and every parameter (stack.h).
    type, extends(owner), public :: mlstm_stack
    contains
        procedure :: create => stack_create
        procedure :: set_readout => stack_set_readout
        procedure :: readout => stack_readout
        procedure :: init => stack_init
        procedure :: init_param => stack_init_param
        procedure :: layer_count => stack_layer_count
        procedure :: hidden_size => stack_hidden_size
        procedure :: recurrent_size => stack_recurrent_size
        procedure :: layer_input_size => stack_layer_input_size
        procedure :: layer_output_size => stack_layer_output_size
        procedure :: top_c_size => stack_top_c_size
        procedure :: top_h_size => stack_top_h_size
        procedure :: options => stack_options
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
        ! How many numbers a row has in c and in h: of the state of each layer, both directions
        ! together, and of what the top layer gives.
        integer, allocatable, private :: layers(:, :)
        integer, private :: top(2) = 0
    contains
        procedure :: create => state_create
        procedure :: zero => state_zero
        procedure :: begin_sequence => state_begin_sequence
        procedure :: begin_window => state_begin_window
        procedure :: keep_steps => state_keep_steps
        procedure :: set_lengths => state_set_lengths
        procedure :: set_training => state_set_training
        procedure :: training => state_training
        procedure :: set_threads => state_set_threads
        procedure :: threads => state_threads
        procedure :: size => state_size
        procedure :: batch => state_batch
        procedure :: window => state_window
        procedure :: steps => state_steps
        procedure :: bytes => state_bytes
        procedure :: set => state_set
        procedure :: get => state_get
        procedure :: set_layer => state_set_layer
        procedure :: get_layer => state_get_layer
        procedure :: get_top => state_get_top
        procedure :: set_final_grad => state_set_final_grad
        procedure :: get_initial_grad => state_get_initial_grad
        procedure :: apply_grads => state_apply_grads
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
        procedure :: clip_param_norm => grads_clip_param_norm
        procedure :: clip_value => grads_clip_value
        procedure :: check => grads_check
        procedure :: get => grads_get
        procedure :: set => grads_set
        procedure :: data => grads_data
    end type

    ! An update rule and its slots (optimizer.h).
    type, extends(owner), public :: mlstm_optimizer
    contains
        procedure :: create_sgd => optimizer_create_sgd
        procedure :: create_adagrad => optimizer_create_adagrad
        procedure :: create_rmsprop => optimizer_create_rmsprop
        procedure :: create_adam => optimizer_create_adam
        procedure :: create_adamw => optimizer_create_adamw
        procedure :: create_amsgrad => optimizer_create_amsgrad
        procedure :: create_nadam => optimizer_create_nadam
        procedure :: create_lion => optimizer_create_lion
        procedure :: set_rate => optimizer_set_rate
        procedure :: rate => optimizer_rate
        procedure :: step_count => optimizer_step_count
        procedure :: set_step_count => optimizer_set_step_count
        procedure :: set_weight_decay => optimizer_set_weight_decay
        procedure :: weight_decay => optimizer_weight_decay
        procedure :: set_frozen => optimizer_set_frozen
        procedure :: frozen => optimizer_frozen
        procedure :: slot_count => optimizer_slot_count
        procedure :: slot_name => optimizer_slot_name
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

    ! Finds the address of an array, NULL where it is absent, and whether it fits.
    function located(name, array, expected, address, stat, errmsg)
        logical :: located
        character(*), intent(in) :: name
        real(c_float), contiguous, target, intent(in), optional :: array(..)
        integer, intent(in) :: expected(:)
        type(c_ptr), intent(out) :: address
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        located = .true.
        address = c_null_ptr
        if (.not. present(array)) return
        located = fits(name, shape(array), expected, stat, errmsg)
        if (located) address = c_loc(array)
    end function

    function mlstm_version() result(version)
        character(:), allocatable :: version
        version = text_of(c_version())
    end function

    ! The same as a number to compare: 10203 for 1.2.3.
    function mlstm_version_number() result(number)
        integer(c_int32_t) :: number
        number = c_version_number()
    end function

    function mlstm_isa() result(isa)
        character(:), allocatable :: isa
        isa = text_of(c_isa())
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

    subroutine cell_set_options(self, options, stat, errmsg)
        class(mlstm_cell), intent(inout) :: self
        type(mlstm_options), intent(in) :: options
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int32_t) :: status
        associate (cell => self%handle, o => options)
            status = c_cell_set_forget_bias(cell, o%forget_bias)
            if (status == 0) status = c_cell_set_biases(cell, o%biases)
            if (status == 0) status = c_cell_set_peepholes(cell, merge(1, 0, o%peepholes))
            if (status == 0) status = c_cell_set_projection(cell, o%projection)
            if (status == 0) status = c_cell_set_projection_clip(cell, o%projection_clip)
            if (status == 0) status = c_cell_set_cell_clip(cell, o%cell_clip)
            if (status == 0) status = c_cell_set_coupled(cell, merge(1, 0, o%coupled))
            if (status == 0) status = c_cell_set_norm(cell, o%norm, o%norm_epsilon)
            if (status == 0) status = c_cell_set_zoneout(cell, o%zoneout_c, o%zoneout_h)
            if (status == 0) status = c_cell_set_dropout(cell, o%dropout, o%dropout_mask)
            if (status == 0) status = c_cell_set_recurrent_dropout(cell, o%recurrent_dropout, &
                o%recurrent_dropout_what, o%recurrent_dropout_mask)
            if (status == 0) status = c_cell_set_skip(cell, o%skip)
            if (status == 0) status = c_cell_set_bidirectional(cell, o%bidirectional)
            if (status == 0) status = c_cell_set_learned_state(cell, merge(1, 0, o%learned_state))
        end associate
        call finish(status, stat, errmsg)
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

    ! What the readout reads, as set_readout takes it, or 0.
    function stack_readout(self)
        integer(c_int32_t) :: stack_readout
        class(mlstm_stack), intent(in) :: self
        stack_readout = c_stack_readout(self%handle)
    end function

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

    function stack_recurrent_size(self, layer)
        integer(c_int32_t) :: stack_recurrent_size
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        stack_recurrent_size = c_cell_recurrent_size(c_stack_cell(self%handle, layer))
    end function

    function stack_layer_input_size(self, layer)
        integer(c_int32_t) :: stack_layer_input_size
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        stack_layer_input_size = c_cell_input_size(c_stack_cell(self%handle, layer))
    end function

    function stack_layer_output_size(self, layer)
        integer(c_int32_t) :: stack_layer_output_size
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        stack_layer_output_size = c_cell_output_size(c_stack_cell(self%handle, layer))
    end function

    ! C, how many numbers a row of c of the top layer has where it is given or wanted for each step.
    function stack_top_c_size(self)
        integer(c_int32_t) :: stack_top_c_size
        class(mlstm_stack), intent(in) :: self
        stack_top_c_size = c_cell_output_c_size(c_stack_cell(self%handle, self%layer_count() - 1))
    end function

    ! D, the same of h.
    function stack_top_h_size(self)
        integer(c_int32_t) :: stack_top_h_size
        class(mlstm_stack), intent(in) :: self
        stack_top_h_size = self%layer_output_size(self%layer_count() - 1)
    end function

    ! Those of a layer.
    subroutine stack_options(self, layer, options, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        type(mlstm_options), intent(inout) :: options
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: cell
        integer(c_int32_t) :: status
        cell = c_stack_cell(self%handle, layer)
        associate (o => options)
            status = c_cell_zoneout(cell, o%zoneout_c, o%zoneout_h)
            if (status == MLSTM_OK) then
                o%forget_bias = c_cell_forget_bias(cell)
                o%biases = c_cell_biases(cell)
                o%peepholes = c_cell_peepholes(cell) /= 0
                o%projection = c_cell_projection(cell)
                o%projection_clip = c_cell_projection_clip(cell)
                o%cell_clip = c_cell_cell_clip(cell)
                o%coupled = c_cell_coupled(cell) /= 0
                o%norm = c_cell_norm(cell, o%norm_epsilon)
                o%dropout = c_cell_dropout(cell, o%dropout_mask)
                o%recurrent_dropout = c_cell_recurrent_dropout(cell, &
                    o%recurrent_dropout_what, o%recurrent_dropout_mask)
                o%skip = c_cell_skip(cell)
                o%bidirectional = c_cell_bidirectional(cell)
                o%learned_state = c_cell_learned_state(cell) /= 0
            end if
        end associate
        call finish(status, stat, errmsg)
    end subroutine

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
        batch = state%batch()
        if (.not. fits("x", shape(x), [self%input_size(), batch], stat, errmsg)) return
        if (.not. located("y", y, [self%output_size(), batch], to_y, stat, errmsg)) return
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
        rows = [state%batch(), size(x, 3)]
        if (.not. fits("x", shape(x), [self%input_size(), rows], stat, errmsg)) return
        if (.not. located("y", y, [self%output_size(), rows], to_y, stat, errmsg)) return
        call finish(c_forward(self%handle, state%handle, x, rows(2), to_y), stat, errmsg)
    end subroutine

    ! From dy(O,B,T), dh_top(D,B,T) and dc_top(C,B,T) to dx(I,B,T) and grads, each of which may be
    ! absent.
    subroutine stack_backward(self, state, dy, dh_top, dc_top, dx, grads, stat, errmsg)
        class(mlstm_stack), intent(in) :: self
        type(mlstm_state), intent(inout) :: state
        real(c_float), contiguous, target, intent(in), optional :: dy(:, :, :)
        real(c_float), contiguous, target, intent(in), optional :: dh_top(:, :, :), dc_top(:, :, :)
        real(c_float), contiguous, target, intent(inout), optional :: dx(:, :, :)
        type(mlstm_grads), intent(inout), optional :: grads
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: rows(2)
        type(c_ptr) :: gradients, to_dy, to_dh_top, to_dc_top, to_dx
        rows = [state%batch(), state%steps()]
        if (.not. located("dy", dy, [self%output_size(), rows], to_dy, stat, errmsg)) return
        if (.not. located("dh_top", dh_top, [self%top_h_size(), rows], to_dh_top, stat, &
            errmsg)) return
        if (.not. located("dc_top", dc_top, [self%top_c_size(), rows], to_dc_top, stat, &
            errmsg)) return
        if (.not. located("dx", dx, [self%input_size(), rows], to_dx, stat, errmsg)) return
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
        integer(c_int32_t) :: status, layer
        status = c_state_create(stack%handle, batch, window, handle)
        call take(self, handle, c_state_destroy, status, stat, errmsg)
        if (status /= MLSTM_OK) return
        self%layers = reshape([(state_widths(stack, layer), layer=0, stack%layer_count() - 1)], &
            [2, int(stack%layer_count())])
        self%top = [stack%top_c_size(), stack%top_h_size()]
    end subroutine

    ! How many numbers of c and of h a row has in the state of a layer.
    function state_widths(stack, layer) result(widths)
        integer :: widths(2)
        type(mlstm_stack), intent(in) :: stack
        integer(c_int32_t), intent(in) :: layer
        type(c_ptr) :: cell
        cell = c_stack_cell(stack%handle, layer)
        widths = merge(1, 2, c_cell_bidirectional(cell) == MLSTM_MERGE_NONE) * &
            [c_cell_hidden_size(cell), c_cell_recurrent_size(cell)]
    end function

    subroutine state_zero(self, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_zero(self%handle), stat, errmsg)
    end subroutine

    subroutine state_begin_sequence(self, stack, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_begin_sequence(stack%handle, self%handle), stat, errmsg)
    end subroutine

    subroutine state_begin_window(self, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_begin_window(self%handle), stat, errmsg)
    end subroutine

    subroutine state_keep_steps(self, steps, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(in) :: steps
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_keep_steps(self%handle, steps), stat, errmsg)
    end subroutine

    ! How many steps each row still has; absent for no end.
    subroutine state_set_lengths(self, lengths, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), contiguous, intent(in), optional :: lengths(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_size_t) :: count
        count = 0
        if (present(lengths)) count = size(lengths, kind=c_size_t)
        call finish(c_state_set_lengths(self%handle, lengths, count), stat, errmsg)
    end subroutine

    subroutine state_set_training(self, training, seed, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        logical, intent(in) :: training
        integer(c_int64_t), intent(in) :: seed
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_set_training(self%handle, merge(1, 0, training), seed), stat, errmsg)
    end subroutine

    function state_training(self)
        logical :: state_training
        class(mlstm_state), intent(in) :: self
        state_training = c_state_training(self%handle) /= 0
    end function

    subroutine state_set_threads(self, threads, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(in) :: threads
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_set_threads(self%handle, threads), stat, errmsg)
    end subroutine

    function state_threads(self)
        integer(c_int32_t) :: state_threads
        class(mlstm_state), intent(in) :: self
        state_threads = c_state_threads(self%handle)
    end function

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

    function state_window(self)
        integer(c_int32_t) :: state_window
        class(mlstm_state), intent(in) :: self
        state_window = c_state_window(self%handle)
    end function

    function state_steps(self)
        integer(c_int32_t) :: state_steps
        class(mlstm_state), intent(in) :: self
        state_steps = c_state_steps(self%handle)
    end function

    function state_bytes(self)
        integer(c_int64_t) :: state_bytes
        class(mlstm_state), intent(in) :: self
        state_bytes = int(c_state_bytes(self%handle), c_int64_t)
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

    ! Replaces c, h or both of a layer, which are flat as they are in get_layer.
    subroutine state_set_layer(self, layer, c, h, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        integer(c_int32_t), intent(in) :: layer
        real(c_float), contiguous, target, intent(in), optional :: c(:), h(:)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_c, to_h
        integer :: counts(2)
        counts = state_counts(self, layer)
        if (.not. located("c", c, counts(1:1), to_c, stat, errmsg)) return
        if (.not. located("h", h, counts(2:2), to_h, stat, errmsg)) return
        call finish(c_state_set_layer(self%handle, layer, to_c, to_h), stat, errmsg)
    end subroutine

    ! c and h of a layer, each of which may be absent: H*B and P*B numbers, of a bidirectional layer
    ! those of the forward direction, then as many of the reverse one.
    subroutine state_get_layer(self, layer, c, h, stat, errmsg)
        class(mlstm_state), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        real(c_float), contiguous, target, intent(inout), optional :: c(:), h(:)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_c, to_h
        integer :: counts(2)
        counts = state_counts(self, layer)
        if (.not. located("c", c, counts(1:1), to_c, stat, errmsg)) return
        if (.not. located("h", h, counts(2:2), to_h, stat, errmsg)) return
        call finish(c_state_get_layer(self%handle, layer, to_c, to_h), stat, errmsg)
    end subroutine

    ! How many numbers c and h of a layer have; 0 for one that is not there, which is left to the
    ! library.
    function state_counts(self, layer) result(counts)
        integer :: counts(2)
        class(mlstm_state), intent(in) :: self
        integer(c_int32_t), intent(in) :: layer
        counts = 0
        if (.not. allocated(self%layers)) return
        if (layer < 0 .or. layer >= size(self%layers, 2)) return
        counts = self%batch() * self%layers(:, layer + 1)
    end function

    ! c(C,B,T) and h(D,B,T) of the top layer at every recorded step, each of which may be absent.
    subroutine state_get_top(self, c, h, stat, errmsg)
        class(mlstm_state), intent(in) :: self
        real(c_float), contiguous, target, intent(inout), optional :: c(:, :, :), h(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_c, to_h
        integer :: rows(2)
        rows = [self%batch(), self%steps()]
        if (.not. located("c", c, [self%top(1), rows], to_c, stat, errmsg)) return
        if (.not. located("h", h, [self%top(2), rows], to_h, stat, errmsg)) return
        call finish(c_state_get_top(self%handle, to_c, to_h), stat, errmsg)
    end subroutine

    ! Absent for none.
    subroutine state_set_final_grad(self, values, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        real(c_float), contiguous, intent(in), optional :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_size_t) :: count
        count = 0
        if (present(values)) count = size(values, kind=c_size_t)
        call finish(c_state_set_final_grad(self%handle, values, count), stat, errmsg)
    end subroutine

    subroutine state_get_initial_grad(self, values, stat, errmsg)
        class(mlstm_state), intent(in) :: self
        real(c_float), contiguous, intent(inout) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_get_initial_grad(self%handle, values, size(values, kind=c_size_t)), &
            stat, errmsg)
    end subroutine

    ! As apply_grads of the optimizer, on the threads of this state.
    subroutine state_apply_grads(self, optimizer, stack, grads, stat, errmsg)
        class(mlstm_state), intent(inout) :: self
        type(mlstm_optimizer), intent(inout) :: optimizer
        type(mlstm_stack), intent(inout) :: stack
        type(mlstm_grads), intent(in) :: grads
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_state_apply_grads(self%handle, optimizer%handle, stack%handle, &
            grads%handle), stat, errmsg)
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

    subroutine grads_clip_param_norm(self, max_norm, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        real(c_float), intent(in) :: max_norm
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_clip_param_norm(self%handle, max_norm), stat, errmsg)
    end subroutine

    subroutine grads_clip_value(self, limit, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        real(c_float), intent(in) :: limit
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_clip_value(self%handle, limit), stat, errmsg)
    end subroutine

    ! MLSTM_ERROR_NOT_FINITE, naming the parameter, where a number is not finite.
    subroutine grads_check(self, stat, errmsg)
        class(mlstm_grads), intent(in) :: self
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_grads_check(self%handle, c_null_ptr), stat, errmsg)
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

    ! The block itself, in the kernels' own order, for what is done to all gradients alike; padding
    ! in it is 0 and has to stay so. It is there until the gradients are freed.
    subroutine grads_data(self, values, stat, errmsg)
        class(mlstm_grads), intent(inout) :: self
        real(c_float), pointer, intent(out) :: values(:)
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: block
        integer(c_size_t) :: count
        integer(c_int32_t) :: status
        nullify (values)
        status = c_grads_data(self%handle, block, count)
        if (status == MLSTM_OK) call c_f_pointer(block, values, [count])
        call finish(status, stat, errmsg)
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

    subroutine optimizer_create_rmsprop(self, stack, rate, decay, momentum, epsilon, centered, &
            stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, decay, momentum, epsilon
        logical, intent(in) :: centered
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_rmsprop_create(stack%handle, rate, decay, momentum, epsilon, &
            merge(1, 0, centered), handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_adam(self, stack, rate, beta1, beta2, epsilon, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, beta1, beta2, epsilon
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_adam_create(stack%handle, rate, beta1, beta2, epsilon, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_adamw(self, stack, rate, beta1, beta2, epsilon, weight_decay, &
            stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, beta1, beta2, epsilon, weight_decay
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_adamw_create(stack%handle, rate, beta1, beta2, epsilon, weight_decay, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_amsgrad(self, stack, rate, beta1, beta2, epsilon, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, beta1, beta2, epsilon
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_amsgrad_create(stack%handle, rate, beta1, beta2, epsilon, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_nadam(self, stack, rate, beta1, beta2, epsilon, momentum_decay, &
            stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, beta1, beta2, epsilon, momentum_decay
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_nadam_create(stack%handle, rate, beta1, beta2, epsilon, momentum_decay, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_create_lion(self, stack, rate, beta1, beta2, weight_decay, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: rate, beta1, beta2, weight_decay
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int32_t) :: status
        status = c_lion_create(stack%handle, rate, beta1, beta2, weight_decay, handle)
        call take(self, handle, c_optimizer_destroy, status, stat, errmsg)
    end subroutine

    subroutine optimizer_set_rate(self, rate, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        real(c_float), intent(in) :: rate
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_rate(self%handle, rate), stat, errmsg)
    end subroutine

    function optimizer_rate(self)
        real(c_float) :: optimizer_rate
        class(mlstm_optimizer), intent(in) :: self
        optimizer_rate = c_optimizer_rate(self%handle)
    end function

    function optimizer_step_count(self)
        integer(c_int64_t) :: optimizer_step_count
        class(mlstm_optimizer), intent(in) :: self
        optimizer_step_count = c_optimizer_step_count(self%handle)
    end function

    subroutine optimizer_set_step_count(self, count, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        integer(c_int64_t), intent(in) :: count
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_step_count(self%handle, count), stat, errmsg)
    end subroutine

    subroutine optimizer_set_weight_decay(self, name, decay, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), intent(in) :: decay
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_weight_decay(self%handle, trim(name) // c_null_char, decay), &
            stat, errmsg)
    end subroutine

    ! 0 for a parameter that is not there.
    function optimizer_weight_decay(self, name)
        real(c_float) :: optimizer_weight_decay
        class(mlstm_optimizer), intent(in) :: self
        character(*), intent(in) :: name
        optimizer_weight_decay = c_optimizer_weight_decay(self%handle, trim(name) // c_null_char)
    end function

    subroutine optimizer_set_frozen(self, name, frozen, stat, errmsg)
        class(mlstm_optimizer), intent(inout) :: self
        character(*), intent(in) :: name
        logical, intent(in) :: frozen
        integer(c_int32_t), intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call finish(c_optimizer_set_frozen(self%handle, trim(name) // c_null_char, &
            merge(1, 0, frozen)), stat, errmsg)
    end subroutine

    function optimizer_frozen(self, name)
        logical :: optimizer_frozen
        class(mlstm_optimizer), intent(in) :: self
        character(*), intent(in) :: name
        optimizer_frozen = c_optimizer_frozen(self%handle, trim(name) // c_null_char) /= 0
    end function

    function optimizer_slot_count(self)
        integer(c_int32_t) :: optimizer_slot_count
        class(mlstm_optimizer), intent(in) :: self
        optimizer_slot_count = c_optimizer_slot_count(self%handle)
    end function

    ! Of a slot, counted from 0; empty for one that is not there.
    function optimizer_slot_name(self, index) result(name)
        character(:), allocatable :: name
        class(mlstm_optimizer), intent(in) :: self
        integer(c_int32_t), intent(in) :: index
        type(c_ptr) :: letters
        name = ""
        letters = c_optimizer_slot_name(self%handle, index)
        if (c_associated(letters)) name = text_of(letters)
    end function

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

    ! Of logits(O,B,T), over O.
    subroutine mlstm_softmax(logits, probabilities, stat, errmsg)
        real(c_float), contiguous, intent(in) :: logits(:, :, :)
        real(c_float), contiguous, intent(inout) :: probabilities(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        if (.not. fits("probabilities", shape(probabilities), shape(logits), stat, errmsg)) return
        call finish(c_softmax(logits, row_count(logits), size(logits, 1), probabilities), stat, &
            errmsg)
    end subroutine

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
        type(c_ptr) :: to_probabilities, to_dlogits
        if (.not. fits("labels", shape(labels), [size(logits, 2), size(logits, 3)], stat, &
            errmsg)) return
        if (.not. located("probabilities", probabilities, shape(logits), to_probabilities, stat, &
            errmsg)) return
        if (.not. located("dlogits", dlogits, shape(logits), to_dlogits, stat, errmsg)) return
        call finish(c_softmax_cross_entropy(logits, labels, row_count(logits), &
            size(logits, 1), to_probabilities, to_dlogits, loss), stat, errmsg)
    end subroutine

    ! The same with weights(B,T), which may be absent.
    subroutine mlstm_softmax_cross_entropy_weighted(logits, labels, ignored, smoothing, loss, &
            weights, probabilities, dlogits, stat, errmsg)
        real(c_float), contiguous, intent(in) :: logits(:, :, :)
        integer(c_int32_t), contiguous, intent(in) :: labels(:, :)
        integer(c_int32_t), intent(in) :: ignored
        real(c_float), intent(in) :: smoothing
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(in), optional :: weights(:, :)
        real(c_float), contiguous, target, intent(inout), optional :: probabilities(:, :, :)
        real(c_float), contiguous, target, intent(inout), optional :: dlogits(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: rows(2)
        type(c_ptr) :: to_weights, to_probabilities, to_dlogits
        rows = [size(logits, 2), size(logits, 3)]
        if (.not. fits("labels", shape(labels), rows, stat, errmsg)) return
        if (.not. located("weights", weights, rows, to_weights, stat, errmsg)) return
        if (.not. located("probabilities", probabilities, shape(logits), to_probabilities, stat, &
            errmsg)) return
        if (.not. located("dlogits", dlogits, shape(logits), to_dlogits, stat, errmsg)) return
        call finish(c_softmax_cross_entropy_weighted(logits, labels, to_weights, &
            row_count(logits), size(logits, 1), ignored, smoothing, to_probabilities, &
            to_dlogits, loss), stat, errmsg)
    end subroutine

    ! Of (O,B,T), not of what stands beside it, which fits anyhow where there are none.
    function row_count(array)
        integer(c_size_t) :: row_count
        real(c_float), intent(in) :: array(:, :, :)
        row_count = size(array, 2, c_size_t) * size(array, 3, c_size_t)
    end function

    ! logits or outputs, and targets, are (O,B,T).

    subroutine mlstm_sigmoid_cross_entropy(logits, targets, loss, dlogits, stat, errmsg)
        real(c_float), contiguous, intent(in) :: logits(:, :, :), targets(:, :, :)
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: dlogits(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_dlogits
        if (.not. fits("targets", shape(targets), shape(logits), stat, errmsg)) return
        if (.not. located("dlogits", dlogits, shape(logits), to_dlogits, stat, errmsg)) return
        call finish(c_sigmoid_cross_entropy(logits, targets, size(logits, kind=c_size_t), &
            to_dlogits, loss), stat, errmsg)
    end subroutine

    subroutine mlstm_absolute_error(outputs, targets, loss, doutputs, stat, errmsg)
        real(c_float), contiguous, intent(in) :: outputs(:, :, :), targets(:, :, :)
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: doutputs(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_doutputs
        if (.not. fits("targets", shape(targets), shape(outputs), stat, errmsg)) return
        if (.not. located("doutputs", doutputs, shape(outputs), to_doutputs, stat, errmsg)) return
        call finish(c_absolute_error(outputs, targets, size(outputs, kind=c_size_t), &
            to_doutputs, loss), stat, errmsg)
    end subroutine

    subroutine mlstm_huber_loss(outputs, targets, delta, loss, doutputs, stat, errmsg)
        real(c_float), contiguous, intent(in) :: outputs(:, :, :), targets(:, :, :)
        real(c_float), intent(in) :: delta
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: doutputs(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_doutputs
        if (.not. fits("targets", shape(targets), shape(outputs), stat, errmsg)) return
        if (.not. located("doutputs", doutputs, shape(outputs), to_doutputs, stat, errmsg)) return
        call finish(c_huber_loss(outputs, targets, size(outputs, kind=c_size_t), &
            delta, to_doutputs, loss), stat, errmsg)
    end subroutine

    subroutine mlstm_squared_error(outputs, targets, loss, doutputs, stat, errmsg)
        real(c_float), contiguous, intent(in) :: outputs(:, :, :), targets(:, :, :)
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: doutputs(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_doutputs
        if (.not. fits("targets", shape(targets), shape(outputs), stat, errmsg)) return
        if (.not. located("doutputs", doutputs, shape(outputs), to_doutputs, stat, errmsg)) return
        call finish(c_squared_error(outputs, targets, size(outputs, kind=c_size_t), &
            to_doutputs, loss), stat, errmsg)
    end subroutine

    ! One of the four above, such as MLSTM_LOSS_HUBER, with weights(B,T).
    subroutine mlstm_weighted_loss(kind, outputs, targets, weights, delta, loss, doutputs, stat, &
            errmsg)
        integer(c_int32_t), intent(in) :: kind
        real(c_float), contiguous, intent(in) :: outputs(:, :, :), targets(:, :, :), weights(:, :)
        real(c_float), intent(in) :: delta
        real(c_float), intent(inout) :: loss
        real(c_float), contiguous, target, intent(inout), optional :: doutputs(:, :, :)
        integer(c_int32_t), intent(inout), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: to_doutputs
        if (.not. fits("targets", shape(targets), shape(outputs), stat, errmsg)) return
        if (.not. fits("weights", shape(weights), [size(outputs, 2), size(outputs, 3)], stat, &
            errmsg)) return
        if (.not. located("doutputs", doutputs, shape(outputs), to_doutputs, stat, errmsg)) return
        call finish(c_weighted_loss(kind, outputs, targets, weights, &
            row_count(outputs), size(outputs, 1), delta, to_doutputs, loss), stat, errmsg)
    end subroutine

end module
