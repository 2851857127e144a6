! SPDX-License-Identifier: MIT
!
! usage: echo [EPOCHS]
! The echo task of examples/echo.c: an LSTM learns to repeat random bits three steps later.
program echo
    use, intrinsic :: iso_c_binding
    use mlstm
    implicit none

    integer, parameter :: total_series_length = 50000, truncated_backprop_length = 15, &
        state_size = 4, num_classes = 2, echo_step = 3, batch_size = 5, num_layers = 3, &
        columns = total_series_length / batch_size, &
        num_batches = columns / truncated_backprop_length

    type(mlstm_stack) :: stack
    type(mlstm_state) :: state
    type(mlstm_grads) :: grads
    type(mlstm_optimizer) :: optimizer
    real(c_float) :: x(1, batch_size, columns), loss
    integer(c_int32_t) :: y(batch_size, columns)
    real(c_float), dimension(num_classes, batch_size, truncated_backprop_length) :: logits, dlogits
    integer :: num_epochs, epoch_idx, batch_idx, first, last
    character(20) :: argument

    num_epochs = 100
    call get_command_argument(1, argument)
    if (argument /= "") read (argument, *) num_epochs
    call random_init(repeatable=.true., image_distinct=.false.)

    call create_stack()
    call state%create(stack, batch_size, truncated_backprop_length)
    call grads%create(stack)
    call optimizer%create_adagrad(stack, 0.3, 0.1)

    do epoch_idx = 0, num_epochs - 1
        call generate_data()
        call state%zero()
        print '("New data, epoch ", i0)', epoch_idx
        do batch_idx = 0, num_batches - 1
            first = batch_idx * truncated_backprop_length + 1
            last = first + truncated_backprop_length - 1
            call state%begin_window()
            call stack%forward(state, x(:, :, first:last), logits)
            call mlstm_softmax_cross_entropy(logits, y(:, first:last), loss, dlogits=dlogits)
            call grads%zero()
            call stack%backward(state, dlogits, grads=grads)
            call optimizer%apply_grads(stack, grads)
            if (mod(batch_idx, 100) == 0) &
                print '("Step ", i0, " Batch loss ", g0.6)', batch_idx, loss
        end do
    end do

contains

    subroutine create_stack()
        type(mlstm_cell) :: cells(num_layers)
        integer :: layer
        do layer = 1, num_layers
            call cells(layer)%create(merge(1, state_size, layer == 1), state_size)
        end do
        call stack%create(cells)
        call stack%set_readout(num_classes, MLSTM_READOUT_C + MLSTM_READOUT_H)
        call stack%init(MLSTM_GLOROT_UNIFORM, 1_c_int64_t)
        call stack%init_param("readout.kernel_c", MLSTM_UNIFORM, 0.0, 1.0, 1_c_int64_t)
        call stack%init_param("readout.kernel_h", MLSTM_UNIFORM, 0.0, 1.0, 1_c_int64_t)
    end subroutine

    ! x and y by column, so that a window is a contiguous section.
    subroutine generate_data()
        real, allocatable :: numbers(:)
        integer, allocatable :: bits(:)
        allocate (numbers(total_series_length))
        call random_number(numbers)
        bits = merge(1, 0, numbers >= 0.5)
        x(1, :, :) = real(transpose(reshape(bits, [columns, batch_size])), c_float)
        bits = [spread(0, 1, echo_step), bits(:total_series_length - echo_step)]
        y = transpose(reshape(bits, [columns, batch_size]))
    end subroutine

end program
