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
        integer(c_int32_t) :: stat
        character(200) :: errmsg
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
    call test_memory()
    call test_threads()
end program
