! SPDX-License-Identifier: MIT
!
! usage: test ECHO_SEED
! The wrapper against the golden windows, and its promises.
module test_network
    use, intrinsic :: iso_c_binding
    use mlstm
    implicit none

    integer, parameter :: T = 15, B = 5, H = 4, L = 3, O = 2

contains

    subroutine expect(holds, what)
        logical, intent(in) :: holds
        character(*), intent(in) :: what
        if (.not. holds) error stop what
    end subroutine

    subroutine expect_error(stat, errmsg, status, part)
        integer(c_int32_t), intent(in) :: stat, status
        character(*), intent(inout) :: errmsg
        character(*), intent(in) :: part
        call expect(stat == status .and. index(errmsg, part) > 0, &
            "no error, or another one, where it should say: " // part)
        errmsg = ""
    end subroutine

    ! The numbers of a path in the file.
    function golden(path) result(numbers)
        character(*), intent(in) :: path
        real(c_float), allocatable :: numbers(:)
        character(60000) :: line
        character(200) :: file
        integer :: unit, status, rank, dims(4)
        call get_command_argument(1, file)
        open (newunit=unit, file=file, action="read", status="old")
        do
            read (unit, '(a)', iostat=status) line
            call expect(status == 0, "the file has no " // path)
            if (index(line(3:), path // " ") == 1) exit
        end do
        dims = 1
        if (line(1:1) == "T") then
            read (line(len(path) + 4:), *) rank, dims(:rank)
            read (unit, '(a)') line
        else
            line = line(len(path) + 4:)
        end if
        close (unit)
        allocate (numbers(product(dims)))
        read (line, *) numbers
    end function

    function window_path(window, what) result(path)
        integer, intent(in) :: window
        character(*), intent(in) :: what
        character(:), allocatable :: path
        character(10) :: number
        write (number, '(i0)') window
        path = "windows/" // trim(number) // "/" // what
    end function

    ! What the file calls a parameter of the library.
    function name_in_file(name)
        character(*), intent(in) :: name
        character(:), allocatable :: name_in_file
        select case (name)
        case ("readout.kernel_c")
            name_in_file = "W1"
        case ("readout.kernel_h")
            name_in_file = "W2"
        case ("readout.bias")
            name_in_file = "b2"
        case default ! layer0.kernel is kernel_0
            name_in_file = name(8:) // "_" // name(6:6)
        end select
    end function

    subroutine create_stack(stack)
        type(mlstm_stack), intent(inout) :: stack
        type(mlstm_cell) :: cells(L)
        integer :: layer
        do layer = 1, L
            call cells(layer)%create(merge(1, H, layer == 1), H)
        end do
        call stack%create(cells)
        call stack%set_readout(O, MLSTM_READOUT_C + MLSTM_READOUT_H)
    end subroutine

    subroutine set_params(stack, folder)
        type(mlstm_stack), intent(inout) :: stack
        character(*), intent(in) :: folder
        character(:), allocatable :: name
        integer, allocatable :: dims(:)
        integer :: i
        do i = 0, stack%param_count() - 1
            call stack%param_info(i, name, dims)
            call stack%set_param(name, golden(folder // name_in_file(name)))
        end do
    end subroutine

    ! x and labels of a window; the file has [B,T], which is (T,B) here.
    subroutine read_window(window, x, labels)
        integer, intent(in) :: window
        real(c_float), intent(out) :: x(1, B, T)
        integer(c_int32_t), intent(out) :: labels(B, T)
        x(1, :, :) = transpose(reshape(golden(window_path(window, "x")), [T, B]))
        labels = transpose(reshape(nint(golden(window_path(window, "y"))), [T, B]))
    end subroutine

    subroutine forward(stack, state, x, labels, loss, dlogits)
        type(mlstm_stack), intent(in) :: stack
        type(mlstm_state), intent(inout) :: state
        real(c_float), intent(in) :: x(1, B, T)
        integer(c_int32_t), intent(in) :: labels(B, T)
        real(c_float), intent(out) :: loss
        real(c_float), intent(inout) :: dlogits(O, B, T)
        real(c_float) :: logits(O, B, T)
        integer :: step
        call state%begin_window()
        do step = 1, T
            call stack%step_forward(state, x(:, :, step), logits(:, :, step))
        end do
        call mlstm_softmax_cross_entropy(logits, labels, loss, dlogits=dlogits)
    end subroutine

    subroutine expect_loss(loss, expected, tolerance)
        real(c_float), intent(in) :: loss, expected, tolerance
        character(80) :: sentence
        write (sentence, '("loss ", g0.9, ", expected ", g0.9)') loss, expected
        call expect(abs(loss - expected) <= tolerance * expected, trim(sentence))
    end subroutine

    ! Every window in one chain of training, and from what the file gives before it.
    subroutine test_golden()
        type(mlstm_stack) :: stack, given
        type(mlstm_state) :: state, given_state
        type(mlstm_grads) :: grads
        type(mlstm_optimizer) :: optimizer
        real(c_float) :: x(1, B, T), dlogits(O, B, T), loss, expected(1)
        integer(c_int32_t) :: labels(B, T)
        integer :: window
        call create_stack(stack)
        call create_stack(given)
        call state%create(stack, B, T)
        call given_state%create(given, B, T)
        call grads%create(stack)
        call optimizer%create_adagrad(stack, 0.3, 0.1)
        call set_params(stack, "initial_params/")
        call set_params(given, "initial_params/")
        do window = 0, 19
            call read_window(window, x, labels)
            expected = golden(window_path(window, "loss"))
            call forward(stack, state, x, labels, loss, dlogits)
            call expect_loss(loss, expected(1), 5e-6)
            call grads%zero()
            call stack%backward(state, dlogits, grads=grads)
            call optimizer%apply_grads(stack, grads)

            call given_state%set(golden(window_path(window, "init_state")))
            call forward(given, given_state, x, labels, loss, dlogits)
            call expect_loss(loss, expected(1), 1e-6)
            call set_params(given, window_path(window, "params_after/"))
        end do
    end subroutine

    subroutine test_errors()
        type(mlstm_cell) :: cell
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        real(c_float) :: x(1, B + 1)
        integer(c_int32_t) :: stat, number
        character(200) :: errmsg
        number = mlstm_version_number()
        write (errmsg, "(i0, '.', i0, '.', i0)") number / 10000, mod(number / 100, 100), &
            mod(number, 100)
        call expect(mlstm_version() == errmsg, "another version than " // trim(errmsg))
        call create_stack(stack)
        call state%create(stack, B, T)
        x = 0
        call cell%create(0, 4, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "input_size")
        call stack%get_param("layer9.kernel", x(1, :), stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_NOT_FOUND, "layer9.kernel")
        call stack%set_param("readout.bias", x(1, :), stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "got 6")
        call stack%step_forward(state, x, stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "the shape 1 5, got 1 6")
        call stack%backward(state, stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_ORDER, "record")
    end subroutine

    subroutine test_ownership()
        type(mlstm_cell) :: cells(2)
        type(mlstm_stack) :: stack
        integer(c_int32_t) :: stat
        character(200) :: errmsg
        call cells(1)%create(1, 4)
        call cells(2)%create(5, 4)
        call stack%create(cells, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "layer 1")
        call stack%create(cells(1:1))
        call cells(1)%set_forget_bias(0.0, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "NULL")
        call cells(1)%free()
        call expect(stack%hidden_size(0) == 4, "a cell was freed that a stack owns")
        call stack%free()
        call stack%free()
        call stack%init(MLSTM_ZEROS, 0_c_int64_t, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "NULL")
    end subroutine

    ! A bidirectional layer with most options below one with the rest.
    subroutine create_variants(stack)
        type(mlstm_stack), intent(inout) :: stack
        type(mlstm_cell) :: cells(2)
        call cells(1)%create(2, 6)
        call cells(1)%set_options(mlstm_options(biases=2, peepholes=.true., projection=4, &
            projection_clip=3.0, cell_clip=5.0, bidirectional=MLSTM_MERGE_CONCAT, &
            learned_state=.true.))
        call cells(2)%create(8, 8)
        call cells(2)%set_options(mlstm_options(coupled=.true., norm=MLSTM_NORM_PRODUCTS, &
            norm_epsilon=0.125, zoneout_c=0.25, zoneout_h=0.125, dropout=0.125, &
            dropout_mask=MLSTM_MASK_SEQUENCE, recurrent_dropout=0.25, &
            recurrent_dropout_what=MLSTM_DROP_CANDIDATE, &
            recurrent_dropout_mask=MLSTM_MASK_SEQUENCE, skip=MLSTM_SKIP_RESIDUAL))
        call stack%create(cells)
        call stack%set_readout(1, MLSTM_READOUT_H)
        call stack%init(MLSTM_ORTHOGONAL, 1_c_int64_t)
        call stack%init_param("layer0.peephole_i", MLSTM_TRUNCATED_NORMAL, 0.0, 0.1, 1_c_int64_t)
    end subroutine

    function near(a, b)
        logical :: near
        real(c_float), intent(in) :: a, b
        near = abs(a - b) < 1e-6
    end function

    subroutine test_options()
        type(mlstm_stack) :: stack
        type(mlstm_cell) :: cell
        type(mlstm_options) :: below, above, none
        real(c_float) :: projection(6 * 4)
        integer(c_int32_t) :: stat
        character(200) :: errmsg
        call create_variants(stack)
        call expect(stack%readout() == MLSTM_READOUT_H, "the readout's sources")
        call stack%options(0, below)
        call expect(below%biases == 2 .and. below%peepholes .and. below%projection == 4 .and. &
            near(below%projection_clip, 3.0) .and. near(below%cell_clip, 5.0) .and. &
            below%bidirectional == MLSTM_MERGE_CONCAT .and. below%learned_state .and. &
            near(below%forget_bias, 1.0) .and. .not. below%coupled, "options of layer 0")
        call stack%options(1, above)
        call expect(above%coupled .and. above%norm == MLSTM_NORM_PRODUCTS .and. &
            near(above%norm_epsilon, 0.125) .and. near(above%zoneout_c, 0.25) .and. &
            near(above%zoneout_h, 0.125) .and. near(above%dropout, 0.125) .and. &
            above%dropout_mask == MLSTM_MASK_SEQUENCE .and. &
            near(above%recurrent_dropout, 0.25) .and. &
            above%recurrent_dropout_what == MLSTM_DROP_CANDIDATE .and. &
            above%recurrent_dropout_mask == MLSTM_MASK_SEQUENCE .and. &
            above%skip == MLSTM_SKIP_RESIDUAL, "options of layer 1")
        call stack%options(2, none, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "NULL")
        call expect(stack%recurrent_size(0) == 4, "h of layer 0")
        call expect(stack%recurrent_size(1) == 8, "h of layer 1")
        call stack%get_param("layer0.reverse.projection", projection)
        call cell%create(1, 1)
        call cell%set_options(mlstm_options(dropout=1.0), stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "rate")
    end subroutine

    ! The loss of rows of different lengths.
    subroutine variants_loss(stack, state, lengths, x, targets, loss, dy)
        type(mlstm_stack), intent(in) :: stack
        type(mlstm_state), intent(inout) :: state
        integer(c_int32_t), intent(in) :: lengths(3)
        real(c_float), intent(in) :: x(2, 3, 4), targets(1, 3, 4)
        real(c_float), intent(inout) :: loss, dy(1, 3, 4)
        real(c_float) :: y(1, 3, 4)
        call state%begin_sequence(stack)
        call state%set_lengths(lengths)
        call stack%forward(state, x, y)
        call expect(all(abs(y(1, 2:3, 4)) <= 0), "rows do not end")
        call mlstm_huber_loss(y, targets, 1.0, loss, dy)
    end subroutine

    ! Rows of 4, 2 and 3 steps learn the first number of each pair.
    subroutine test_training()
        use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_positive_inf
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        type(mlstm_grads) :: grads
        type(mlstm_optimizer) :: optimizer
        integer(c_int32_t), parameter :: lengths(3) = [4, 2, 3]
        real(c_float) :: x(2, 3, 4), targets(1, 3, 4), dy(1, 3, 4), before, loss, top(8, 3, 4)
        real(c_float) :: frozen(16 * 32), after(16 * 32)
        integer(c_int32_t) :: stat
        integer :: row, step, update
        character(200) :: errmsg
        x(2, :, :) = 1
        do step = 1, 4
            do row = 1, 3
                x(1, row, step) = real(modulo(3 * (step - 1) + row - 1, 5)) / 5 - 0.4
                targets(1, row, step) = merge(x(1, row, step), 0.0, step <= lengths(row))
            end do
        end do
        call create_variants(stack)
        call state%create(stack, 3, 4)
        call grads%create(stack)
        call optimizer%create_adamw(stack, 0.02, 0.9, 0.999, 1e-8, 0.01)
        call optimizer%set_weight_decay("readout.bias", 0.0)
        call optimizer%set_frozen("layer1.kernel", .true.)
        call stack%get_param("layer1.kernel", frozen)

        call variants_loss(stack, state, lengths, x, targets, before, dy)
        do update = 1, 60
            call state%set_training(.true., int(update, c_int64_t))
            call expect(state%training(), "training is off")
            call variants_loss(stack, state, lengths, x, targets, loss, dy)
            call grads%zero()
            call stack%backward(state, dy, grads=grads)
            call grads%clip_value(1.0)
            call optimizer%set_rate(mlstm_schedule_warmup(0.02, optimizer%step_count(), &
                10_c_int64_t, 0.1))
            call optimizer%apply_grads(stack, grads)
        end do
        call state%set_training(.false., 0_c_int64_t)
        call variants_loss(stack, state, lengths, x, targets, loss, dy)
        call expect(loss < before / 4, "nothing was learned")
        call stack%get_param("layer1.kernel", after)
        call expect(all(abs(after - frozen) <= 0), "what was frozen has changed")

        top = 1
        call stack%backward(state, dh_top=top, dc_top=top, grads=grads)
        call stack%backward(state, dh_top=x, stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "the shape 8 3 4, got 2 3 4")
        call state%keep_steps(1, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_ORDER, "bidirectional")
        call grads%check()
        call grads%set("readout.bias", [ieee_value(1.0, ieee_positive_inf)])
        call grads%check(stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_NOT_FINITE, "readout.bias")
        call grads%clip_param_norm(1.0, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_NOT_FINITE, "readout.bias")
        call state%begin_window()
        call state%set_lengths()
    end subroutine

    subroutine test_optimizers()
        type(mlstm_stack) :: stack
        type(mlstm_grads) :: grads
        type(mlstm_optimizer) :: all_rules(8)
        real(c_float) :: bias(O), params(208, 2)
        integer(c_int32_t) :: stat
        integer :: i
        character(200) :: errmsg
        call create_stack(stack)
        call grads%create(stack)
        call grads%set("readout.bias", [1.0, -1.0])
        call all_rules(1)%create_sgd(stack, 0.5, 0.5, .true.)
        call all_rules(2)%create_adagrad(stack, 0.5, 0.1)
        call all_rules(3)%create_rmsprop(stack, 0.5, 0.9, 0.0, 1e-10, .true.)
        call all_rules(4)%create_adam(stack, 0.5, 0.9, 0.999, 1e-8)
        call all_rules(5)%create_adamw(stack, 0.5, 0.9, 0.999, 1e-8, 0.01)
        call all_rules(6)%create_amsgrad(stack, 0.5, 0.9, 0.999, 1e-8)
        call all_rules(7)%create_nadam(stack, 0.5, 0.9, 0.999, 1e-8, 0.004)
        call all_rules(8)%create_lion(stack, 0.5, 0.9, 0.99, 0.0)
        do i = 1, 8
            call stack%init(MLSTM_ZEROS, 0_c_int64_t)
            call all_rules(i)%set_step_count(7_c_int64_t)
            call all_rules(i)%apply_grads(stack, grads)
            call stack%get_param("readout.bias", bias)
            call expect(bias(1) < 0 .and. near(bias(2), -bias(1)), "no descent")
            call expect(all_rules(i)%step_count() == 8, "updates are not counted")
            call all_rules(i)%set_rate(mlstm_schedule_cosine(0.5, -1_c_int64_t, 10_c_int64_t, &
                0.0), stat, errmsg)
            call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "rate")
        end do
        call update_once(.true., params(:, 1))
        call update_once(.false., params(:, 2))
        call expect(all(abs(params(:, 1) - params(:, 2)) <= 0), "an update on threads is another")
    end subroutine

    ! Two layers without a readout, so that y is h of the top one.
    subroutine create_parts(stack)
        type(mlstm_stack), intent(inout) :: stack
        type(mlstm_cell) :: cells(2)
        call cells(1)%create(2, 4)
        call cells(2)%create(4, 3)
        call stack%create(cells)
        call stack%init(MLSTM_GLOROT_UNIFORM, 1_c_int64_t)
    end subroutine

    ! Every parameter after one update.
    subroutine update_once(on_threads, params)
        logical, intent(in) :: on_threads
        real(c_float), intent(inout) :: params(208)
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        type(mlstm_grads) :: grads
        type(mlstm_optimizer) :: optimizer
        real(c_float) :: x(2, 2, 3), y(3, 2, 3)
        call create_parts(stack)
        call read_parts(stack, state, x, y)
        call state%set_threads(2)
        call grads%create(stack)
        call stack%backward(state, y, grads=grads)
        call optimizer%create_adamw(stack, 0.5, 0.9, 0.999, 1e-8, 0.01)
        if (on_threads) then
            call state%apply_grads(optimizer, stack, grads)
        else
            call optimizer%apply_grads(stack, grads)
        end if
        call stack%get_param("layer0.kernel", params(:96))
        call stack%get_param("layer0.bias", params(97:112))
        call stack%get_param("layer1.kernel", params(113:196))
        call stack%get_param("layer1.bias", params(197:))
    end subroutine

    ! A state that has read x, and y.
    subroutine read_parts(stack, state, x, y)
        type(mlstm_stack), intent(in) :: stack
        type(mlstm_state), intent(inout) :: state
        real(c_float), intent(out) :: x(2, 2, 3)
        real(c_float), contiguous, intent(inout) :: y(:, :, :)
        integer :: i
        x = reshape([(modulo(i, 5) / 5.0 - 0.4, i = 0, 11)], shape(x))
        call state%create(stack, 2, 3)
        call stack%forward(state, x, y)
    end subroutine

    subroutine test_descriptions()
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        call expect(any(mlstm_isa() == ["avx512  ", "avx2    ", "neon    ", "portable"]), &
            "no instruction set " // mlstm_isa())
        call create_parts(stack)
        call stack%set_readout(5, MLSTM_READOUT_H)
        call expect(all([stack%layer_input_size(0), stack%layer_input_size(1), &
            stack%layer_output_size(0), stack%layer_output_size(1), stack%layer_output_size(2), &
            stack%top_c_size(), stack%top_h_size()] == [2, 4, 4, 3, 0, 3, 3]), "sizes of layers")
        call state%create(stack, 2, 3)
        call state%set_threads(2)
        call expect(all([state%window(), state%threads()] == [3, 2]), "window and threads")
        call expect(state%bytes() > 4 * state%size(), "a state holds more than its tensor")
    end subroutine

    subroutine test_steps()
        type(mlstm_stack) :: stack
        type(mlstm_state) :: window, state
        real(c_float) :: x(2, 2, 3), y(3, 2, 3), top_c(3, 2, 3), top_h(3, 2, 3), last(6, 2)
        integer(c_int32_t) :: stat
        integer :: step
        character(200) :: errmsg
        call create_parts(stack)
        call read_parts(stack, window, x, y)
        call window%get_top(top_c, top_h)
        call expect(all(abs(top_h - y) <= 0), "h of the top layer is y")
        call window%get_layer(1, last(:, 1), last(:, 2))
        call expect(all(abs(last - reshape([top_c(:, :, 3), top_h(:, :, 3)], [6, 2])) <= 0), &
            "a layer holds its last step")
        call window%get_top(h=top_h(:, :, :2), stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "h should have the shape 3 2 3")

        call state%create(stack, 2, 3)
        do step = 1, 3
            call stack%step_forward(state, x(:, :, step), y(:, :, step))
        end do
        call expect(all(abs(top_h - y) <= 0), "steps are a window")
        call state%set_layer(1, c=[0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
        call state%get_layer(1, last(:, 1), last(:, 2))
        call expect(all(abs(last(:, 1) - 0.5) <= 0), "c was set")
        call expect(all(abs(last(:, 2) - reshape(top_h(:, :, 3), [6])) <= 0), "h was left")
        call state%set_layer(1, h=[1.0], stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "h should have the shape 6, got 1")
        call state%get_layer(2, c=last(:, 1), stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "layer")
    end subroutine

    ! The layers of two directions and the projection are as wide as stack.h says.
    subroutine test_directions(bidirectional, directions)
        integer(c_int32_t), intent(in) :: bidirectional, directions
        type(mlstm_cell) :: cells(1)
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        real(c_float) :: x(2, 2, 3), values(2 * 2 * (4 + 3)), layer_c(2 * 2 * 4), layer_h(2 * 2 * 3)
        real(c_float), allocatable, dimension(:, :, :) :: y, top_c, top_h
        call cells(1)%create(2, 4)
        call cells(1)%set_options(mlstm_options(projection=3, bidirectional=bidirectional))
        call stack%create(cells)
        call stack%init(MLSTM_GLOROT_UNIFORM, 1_c_int64_t)
        allocate (y(3 * directions, 2, 3), top_c(stack%top_c_size(), 2, 3), &
            top_h(stack%top_h_size(), 2, 3))
        call expect(size(top_c, 1) == 4 * directions, "c of both directions")
        call read_parts(stack, state, x, y)
        call state%get_top(top_c, top_h)
        call expect(all(abs(top_h - y) <= 0), "h of both directions is y")
        call state%get(values)
        call state%get_layer(0, layer_c, layer_h)
        call expect(all(abs(layer_c(:8) - values(:8)) <= 0), "c of the forward direction")
        call expect(all(abs(layer_h(7:) - values(23:)) <= 0), "h of the reverse direction")
    end subroutine

    subroutine test_backward()
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        real(c_float) :: x(2, 2, 3), y(3, 2, 3), dy(3, 2, 3), dx(2, 2, 3), expected(2, 2, 3)
        real(c_float) :: values(2 * 2 * (4 + 3))
        call create_parts(stack)
        call read_parts(stack, state, x, y)
        dy = 0
        dy(:, :, 3) = 1
        call stack%backward(state, dy, dx=expected)
        call expect(maxval(abs(expected)) > 1e-3, "dx of dy")
        call stack%backward(state, dh_top=dy, dx=dx)
        call expect(all(abs(dx - expected) < 1e-6), "dx of dh_top")
        call stack%backward(state, dc_top=dy, dx=expected)
        call expect(any(abs(dx - expected) > 1e-3), "dx of dc_top")
        values = 0
        values(17:22) = 1 ! c of the upper layer
        call state%set_final_grad(values)
        call stack%backward(state, dx=dx)
        call expect(all(abs(dx - expected) < 1e-6), "dx of the final gradient")
        call state%get_initial_grad(values)
        call expect(all(abs(values(:16)) > 0), "the initial gradient of the lower layer")
        call state%set_final_grad()
        call stack%backward(state, dx=dx)
        call expect(all(abs(dx) <= 0), "dx of nothing")
    end subroutine

    subroutine test_grads()
        type(mlstm_stack) :: stack
        type(mlstm_grads) :: grads
        real(c_float), pointer :: block(:)
        real(c_float) :: bias(12), norm
        integer(c_int32_t) :: stat
        character(200) :: errmsg
        call create_parts(stack)
        call grads%create(stack)
        bias = 0
        bias(:2) = [3, 4]
        call grads%set("layer1.bias", bias)
        call grads%data(block)
        block = 2 * block
        call grads%get("layer1.bias", bias)
        call grads%norm(norm)
        call expect(near(bias(1), 6.0) .and. near(bias(2), 8.0) .and. near(norm, 10.0), "the block")
        call grads%free()
        call grads%data(block, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "NULL")
        call expect(.not. associated(block), "a block of nothing")
    end subroutine

    subroutine test_slots()
        type(mlstm_stack) :: stack
        type(mlstm_optimizer) :: optimizer
        real(c_float) :: values(12)
        call create_parts(stack)
        call optimizer%create_adamw(stack, 0.5, 0.9, 0.999, 1e-8, 0.25)
        call optimizer%set_weight_decay("layer1.bias", 0.0)
        call optimizer%set_frozen("layer1.bias", .true.)
        call optimizer%set_rate(0.125)
        call expect(near(optimizer%rate(), 0.125), "the rate")
        call expect(optimizer%frozen("layer1.bias"), "what was frozen")
        call expect(.not. optimizer%frozen("layer0.bias"), "what was not frozen")
        call expect(near(optimizer%weight_decay("layer0.bias"), 0.25), "weight decay of all")
        call expect(near(optimizer%weight_decay("layer1.bias"), 0.0), "weight decay of one")
        call expect(optimizer%slot_count() == 2, "the number of slots")
        call expect(optimizer%slot_name(0) == "exp_avg", "the name of the first slot")
        call expect(optimizer%slot_name(2) == "", "the name of a slot that is not there")
        values = 2
        call optimizer%set_slot(optimizer%slot_name(1), "layer1.bias", values)
        call optimizer%get_slot("exp_avg", "layer1.bias", values)
        call expect(all(abs(values) <= 0), "the first slot")
        call optimizer%get_slot("exp_avg_sq", "layer1.bias", values)
        call expect(all(abs(values - 2) <= 0), "the second slot")
    end subroutine

    subroutine test_losses()
        real(c_float) :: outputs(1, 1, 2), targets(1, 1, 2), gradient(1, 1, 2), loss, scale
        real(c_float) :: logits(2, 1, 2), dlogits(2, 1, 2), none(2, 0, 2), expected(4)
        integer(c_int64_t) :: streak
        integer(c_int32_t) :: stat
        integer :: i
        character(200) :: errmsg
        outputs(1, 1, :) = [0, 3]
        targets(1, 1, :) = [0, 1]
        call mlstm_absolute_error(outputs, targets, loss, gradient)
        call expect(near(loss, 1.0) .and. near(gradient(1, 1, 2), 0.5), "absolute error")
        call mlstm_huber_loss(outputs, targets, 1.0, loss)
        call expect(near(loss, 0.75), "Huber's loss")
        call mlstm_squared_error(outputs, targets, loss)
        call expect(near(loss, 2.0), "squared error")
        call mlstm_sigmoid_cross_entropy(outputs(:, :, :1), targets(:, :, 2:), loss)
        call expect(near(loss, log(2.0)), "sigmoid cross entropy")
        logits = reshape([0.0, 0.0, 5.0, 9.0], [2, 1, 2])
        call mlstm_softmax_cross_entropy_weighted(logits, reshape([1, -1], [1, 2]), -1, 0.0, &
            loss, reshape([2.0, 3.0], [1, 2]), dlogits=dlogits)
        call expect(near(loss, 2 * log(2.0)) .and. near(dlogits(1, 1, 1), 1.0) .and. &
            near(dlogits(1, 1, 2), 0.0), "weighted softmax cross entropy")
        logits = reshape([0.0, 0.0, 5.0, 5.0 + log(3.0)], [2, 1, 2])
        call mlstm_softmax(logits, dlogits)
        call expect(near(dlogits(2, 1, 1), 0.5) .and. near(dlogits(2, 1, 2), 0.75), "softmax")
        call mlstm_softmax(logits, dlogits(:, :, :1), stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "probabilities")
        call mlstm_softmax(none, none, stat, errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "rows")
        call test_weighted_losses(outputs, targets)
        call mlstm_softmax_cross_entropy(none, reshape([0, 1], [1, 2]), loss, stat=stat, &
            errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_INVALID_ARGUMENT, "rows")
        call mlstm_absolute_error(outputs, targets(:, :, :1), loss, stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "targets")
        scale = 8
        streak = 0
        expected = [8, 16, 16, 8]
        do i = 1, 4
            scale = mlstm_schedule_loss_scale(scale, merge(1, 0, i < 4), 2_c_int64_t, 2.0, 0.5, &
                streak)
            call expect(near(scale, expected(i)), "loss scale")
        end do
    end subroutine

    subroutine test_weighted_losses(outputs, targets)
        real(c_float), intent(in) :: outputs(1, 1, 2), targets(1, 1, 2)
        real(c_float) :: plain(1, 1, 2), gradient(1, 1, 2), losses(0:3), loss, weights(1, 2)
        integer(c_int32_t) :: kind, stat
        character(200) :: errmsg
        call mlstm_absolute_error(outputs, targets, losses(MLSTM_LOSS_ABSOLUTE))
        call mlstm_huber_loss(outputs, targets, 0.5, losses(MLSTM_LOSS_HUBER))
        call mlstm_squared_error(outputs, targets, losses(MLSTM_LOSS_SQUARED))
        call mlstm_sigmoid_cross_entropy(outputs, targets, losses(MLSTM_LOSS_SIGMOID), plain)
        weights = 1
        do kind = MLSTM_LOSS_SQUARED, MLSTM_LOSS_SIGMOID
            call mlstm_weighted_loss(kind, outputs, targets, weights, 0.5, loss, gradient)
            call expect(near(loss, losses(kind)), "weights of 1")
        end do
        call expect(near(gradient(1, 1, 1), plain(1, 1, 1)) .and. &
            near(gradient(1, 1, 2), plain(1, 1, 2)), "gradient with weights of 1")
        weights(1, :) = [0, 2]
        call mlstm_weighted_loss(MLSTM_LOSS_ABSOLUTE, outputs, targets, weights, 0.0, loss, &
            gradient)
        call expect(near(loss, 4.0) .and. near(gradient(1, 1, 1), 0.0) .and. &
            near(gradient(1, 1, 2), 2.0), "a weight of 0")
        call mlstm_weighted_loss(MLSTM_LOSS_ABSOLUTE, outputs, targets, weights(:, :1), 0.0, loss, &
            stat=stat, errmsg=errmsg)
        call expect_error(stat, errmsg, MLSTM_ERROR_MISMATCH, "weights")
    end subroutine

    subroutine work(stack, x, labels, norm)
        type(mlstm_stack), intent(in) :: stack
        real(c_float), intent(in) :: x(1, B, T)
        integer(c_int32_t), intent(in) :: labels(B, T)
        real(c_float), intent(inout) :: norm
        type(mlstm_state) :: state
        type(mlstm_grads) :: grads
        real(c_float) :: dlogits(O, B, T), loss
        integer :: i
        call state%create(stack, B, T)
        call grads%create(stack)
        do i = 1, 200
            call state%zero()
            call forward(stack, state, x, labels, loss, dlogits)
            call grads%zero()
            call stack%backward(state, dlogits, grads=grads)
        end do
        call grads%norm(norm)
    end subroutine

    ! One stack, a state for each thread.
    subroutine test_threads()
        use omp_lib, only: omp_get_num_threads
        type(mlstm_stack) :: stack
        real(c_float) :: x(1, B, T), norms(4)
        integer(c_int32_t) :: labels(B, T)
        integer :: i
        call create_stack(stack)
        call set_params(stack, "initial_params/")
        call read_window(0, x, labels)
        norms = 0
        !$omp parallel do num_threads(4) schedule(static, 1)
        do i = 1, 4
            if (omp_get_num_threads() == 4) call work(stack, x, labels, norms(i))
        end do
        call expect(norms(1) > 0 .and. maxval(norms) <= minval(norms), "threads disagree")
    end subroutine

    ! Leaves it to the finalizers to free what it makes.
    subroutine create_and_free()
        type(mlstm_stack) :: stack
        type(mlstm_state) :: state
        type(mlstm_grads) :: grads
        type(mlstm_optimizer) :: optimizer
        type(mlstm_cell) :: unused
        call create_stack(stack)
        call create_stack(stack) ! in the place of the other
        call state%create(stack, B, T)
        call grads%create(stack)
        call optimizer%create_adagrad(stack, 0.3, 0.1)
        call unused%create(1, 1)
    end subroutine

    function resident_bytes()
        integer :: resident_bytes, unit
        integer(c_int64_t) :: size
        open (newunit=unit, file="/proc/self/statm", action="read", status="old")
        read (unit, *) size, resident_bytes
        close (unit)
        resident_bytes = resident_bytes * 4096
    end function

    subroutine test_memory()
        integer :: i, before
        do i = 1, 1000
            call create_and_free()
        end do
        before = resident_bytes()
        do i = 1, 10000
            call create_and_free()
        end do
        call expect(resident_bytes() - before < 1000000, "memory grows")
    end subroutine

end module

program test
    use test_network
    implicit none
    call test_golden()
    call test_errors()
    call test_ownership()
    call test_options()
    call test_training()
    call test_optimizers()
    call test_descriptions()
    call test_steps()
    call test_directions(MLSTM_MERGE_CONCAT, 2)
    call test_directions(MLSTM_MERGE_SUM, 1)
    call test_backward()
    call test_grads()
    call test_slots()
    call test_losses()
    call test_memory()
    call test_threads()
end program
