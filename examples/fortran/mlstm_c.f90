! SPDX-License-Identifier: MIT
!
! The C functions as their headers declare them; an array that may be NULL is an address here.
module mlstm_c
    use, intrinsic :: iso_c_binding
    implicit none

    interface
        function c_version() bind(C, name="mlstm_version")
            import; type(c_ptr) :: c_version
        end function
        function c_version_number() bind(C, name="mlstm_version_number")
            import; integer(c_int32_t) :: c_version_number
        end function
        function c_isa() bind(C, name="mlstm_isa")
            import; type(c_ptr) :: c_isa
        end function
        function c_last_error() bind(C, name="mlstm_last_error")
            import; type(c_ptr) :: c_last_error
        end function
        pure function c_strlen(text) bind(C, name="strlen")
            import; integer(c_size_t) :: c_strlen; type(c_ptr), value :: text
        end function

        function c_cell_create(inputs, hidden, cell) bind(C, name="mlstm_cell_create")
            import; integer(c_int32_t) :: c_cell_create
            integer(c_int32_t), value :: inputs, hidden; type(c_ptr), intent(out) :: cell
        end function
        subroutine c_cell_destroy(cell) bind(C, name="mlstm_cell_destroy")
            import; type(c_ptr), value :: cell
        end subroutine
        function c_cell_set_forget_bias(cell, bias) bind(C, name="mlstm_cell_set_forget_bias")
            import; integer(c_int32_t) :: c_cell_set_forget_bias
            type(c_ptr), value :: cell; real(c_float), value :: bias
        end function
        function c_cell_input_size(cell) bind(C, name="mlstm_cell_input_size")
            import; integer(c_int32_t) :: c_cell_input_size; type(c_ptr), value :: cell
        end function
        function c_cell_hidden_size(cell) bind(C, name="mlstm_cell_hidden_size")
            import; integer(c_int32_t) :: c_cell_hidden_size; type(c_ptr), value :: cell
        end function
        function c_cell_set_biases(cell, value) bind(C, name="mlstm_cell_set_biases")
            import; integer(c_int32_t) :: c_cell_set_biases
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_peepholes(cell, value) bind(C, name="mlstm_cell_set_peepholes")
            import; integer(c_int32_t) :: c_cell_set_peepholes
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_projection(cell, value) bind(C, name="mlstm_cell_set_projection")
            import; integer(c_int32_t) :: c_cell_set_projection
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_coupled(cell, value) bind(C, name="mlstm_cell_set_coupled")
            import; integer(c_int32_t) :: c_cell_set_coupled
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_skip(cell, value) bind(C, name="mlstm_cell_set_skip")
            import; integer(c_int32_t) :: c_cell_set_skip
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_bidirectional(cell, value) bind(C, name="mlstm_cell_set_bidirectional")
            import; integer(c_int32_t) :: c_cell_set_bidirectional
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_learned_state(cell, value) bind(C, name="mlstm_cell_set_learned_state")
            import; integer(c_int32_t) :: c_cell_set_learned_state
            type(c_ptr), value :: cell; integer(c_int32_t), value :: value
        end function
        function c_cell_set_projection_clip(cell, value) &
                bind(C, name="mlstm_cell_set_projection_clip")
            import; integer(c_int32_t) :: c_cell_set_projection_clip
            type(c_ptr), value :: cell; real(c_float), value :: value
        end function
        function c_cell_set_cell_clip(cell, value) bind(C, name="mlstm_cell_set_cell_clip")
            import; integer(c_int32_t) :: c_cell_set_cell_clip
            type(c_ptr), value :: cell; real(c_float), value :: value
        end function
        function c_cell_recurrent_size(cell) bind(C, name="mlstm_cell_recurrent_size")
            import; integer(c_int32_t) :: c_cell_recurrent_size; type(c_ptr), value :: cell
        end function
        function c_cell_output_size(cell) bind(C, name="mlstm_cell_output_size")
            import; integer(c_int32_t) :: c_cell_output_size; type(c_ptr), value :: cell
        end function
        function c_cell_output_c_size(cell) bind(C, name="mlstm_cell_output_c_size")
            import; integer(c_int32_t) :: c_cell_output_c_size; type(c_ptr), value :: cell
        end function
        function c_cell_biases(cell) bind(C, name="mlstm_cell_biases")
            import; integer(c_int32_t) :: c_cell_biases; type(c_ptr), value :: cell
        end function
        function c_cell_peepholes(cell) bind(C, name="mlstm_cell_peepholes")
            import; integer(c_int32_t) :: c_cell_peepholes; type(c_ptr), value :: cell
        end function
        function c_cell_projection(cell) bind(C, name="mlstm_cell_projection")
            import; integer(c_int32_t) :: c_cell_projection; type(c_ptr), value :: cell
        end function
        function c_cell_coupled(cell) bind(C, name="mlstm_cell_coupled")
            import; integer(c_int32_t) :: c_cell_coupled; type(c_ptr), value :: cell
        end function
        function c_cell_skip(cell) bind(C, name="mlstm_cell_skip")
            import; integer(c_int32_t) :: c_cell_skip; type(c_ptr), value :: cell
        end function
        function c_cell_bidirectional(cell) bind(C, name="mlstm_cell_bidirectional")
            import; integer(c_int32_t) :: c_cell_bidirectional; type(c_ptr), value :: cell
        end function
        function c_cell_learned_state(cell) bind(C, name="mlstm_cell_learned_state")
            import; integer(c_int32_t) :: c_cell_learned_state; type(c_ptr), value :: cell
        end function
        function c_cell_forget_bias(cell) bind(C, name="mlstm_cell_forget_bias")
            import; real(c_float) :: c_cell_forget_bias; type(c_ptr), value :: cell
        end function
        function c_cell_projection_clip(cell) bind(C, name="mlstm_cell_projection_clip")
            import; real(c_float) :: c_cell_projection_clip; type(c_ptr), value :: cell
        end function
        function c_cell_cell_clip(cell) bind(C, name="mlstm_cell_cell_clip")
            import; real(c_float) :: c_cell_cell_clip; type(c_ptr), value :: cell
        end function
        function c_cell_set_norm(cell, norm, epsilon) bind(C, name="mlstm_cell_set_norm")
            import; integer(c_int32_t) :: c_cell_set_norm; type(c_ptr), value :: cell
            integer(c_int32_t), value :: norm; real(c_float), value :: epsilon
        end function
        function c_cell_set_zoneout(cell, c_rate, h_rate) bind(C, name="mlstm_cell_set_zoneout")
            import; integer(c_int32_t) :: c_cell_set_zoneout
            type(c_ptr), value :: cell; real(c_float), value :: c_rate, h_rate
        end function
        function c_cell_set_dropout(cell, rate, mask) bind(C, name="mlstm_cell_set_dropout")
            import; integer(c_int32_t) :: c_cell_set_dropout; type(c_ptr), value :: cell
            real(c_float), value :: rate; integer(c_int32_t), value :: mask
        end function
        function c_cell_set_recurrent_dropout(cell, rate, what, mask) &
                bind(C, name="mlstm_cell_set_recurrent_dropout")
            import; integer(c_int32_t) :: c_cell_set_recurrent_dropout; type(c_ptr), value :: cell
            real(c_float), value :: rate; integer(c_int32_t), value :: what, mask
        end function
        function c_cell_norm(cell, epsilon) bind(C, name="mlstm_cell_norm")
            import; integer(c_int32_t) :: c_cell_norm
            type(c_ptr), value :: cell; real(c_float), intent(inout) :: epsilon
        end function
        function c_cell_zoneout(cell, c_rate, h_rate) bind(C, name="mlstm_cell_zoneout")
            import; integer(c_int32_t) :: c_cell_zoneout
            type(c_ptr), value :: cell; real(c_float), intent(inout) :: c_rate, h_rate
        end function
        function c_cell_dropout(cell, mask) bind(C, name="mlstm_cell_dropout")
            import; real(c_float) :: c_cell_dropout
            type(c_ptr), value :: cell; integer(c_int32_t), intent(inout) :: mask
        end function
        function c_cell_recurrent_dropout(cell, what, mask) &
                bind(C, name="mlstm_cell_recurrent_dropout")
            import; real(c_float) :: c_cell_recurrent_dropout
            type(c_ptr), value :: cell; integer(c_int32_t), intent(inout) :: what, mask
        end function

        function c_stack_create(cells, count, stack) bind(C, name="mlstm_stack_create")
            import; integer(c_int32_t) :: c_stack_create; type(c_ptr), intent(in) :: cells(*)
            integer(c_int32_t), value :: count; type(c_ptr), intent(out) :: stack
        end function
        subroutine c_stack_destroy(stack) bind(C, name="mlstm_stack_destroy")
            import; type(c_ptr), value :: stack
        end subroutine
        function c_stack_set_readout(stack, outputs, sources) &
                bind(C, name="mlstm_stack_set_readout")
            import; integer(c_int32_t) :: c_stack_set_readout
            type(c_ptr), value :: stack; integer(c_int32_t), value :: outputs, sources
        end function
        function c_stack_init(stack, initializer, seed) bind(C, name="mlstm_stack_init")
            import; integer(c_int32_t) :: c_stack_init; type(c_ptr), value :: stack
            integer(c_int32_t), value :: initializer; integer(c_int64_t), value :: seed
        end function
        function c_stack_init_param(stack, name, initializer, a, b, seed) &
                bind(C, name="mlstm_stack_init_param")
            import; integer(c_int32_t) :: c_stack_init_param; type(c_ptr), value :: stack
            character(kind=c_char), intent(in) :: name(*)
            integer(c_int32_t), value :: initializer; real(c_float), value :: a, b
            integer(c_int64_t), value :: seed
        end function
        function c_stack_readout(stack) bind(C, name="mlstm_stack_readout")
            import; integer(c_int32_t) :: c_stack_readout; type(c_ptr), value :: stack
        end function
        function c_stack_layer_count(stack) bind(C, name="mlstm_stack_layer_count")
            import; integer(c_int32_t) :: c_stack_layer_count; type(c_ptr), value :: stack
        end function
        function c_stack_cell(stack, layer) bind(C, name="mlstm_stack_cell")
            import; type(c_ptr) :: c_stack_cell
            type(c_ptr), value :: stack; integer(c_int32_t), value :: layer
        end function
        function c_stack_input_size(stack) bind(C, name="mlstm_stack_input_size")
            import; integer(c_int32_t) :: c_stack_input_size; type(c_ptr), value :: stack
        end function
        function c_stack_output_size(stack) bind(C, name="mlstm_stack_output_size")
            import; integer(c_int32_t) :: c_stack_output_size; type(c_ptr), value :: stack
        end function
        function c_stack_param_count(stack) bind(C, name="mlstm_stack_param_count")
            import; integer(c_int32_t) :: c_stack_param_count; type(c_ptr), value :: stack
        end function
        function c_stack_param_info(stack, index, name, rank, dims) &
                bind(C, name="mlstm_stack_param_info")
            import; integer(c_int32_t) :: c_stack_param_info; type(c_ptr), value :: stack
            integer(c_int32_t), value :: index; type(c_ptr), intent(out) :: name
            integer(c_int32_t), intent(out) :: rank, dims(2)
        end function
        function c_stack_get_param(stack, name, values, count) &
                bind(C, name="mlstm_stack_get_param")
            import; integer(c_int32_t) :: c_stack_get_param; type(c_ptr), value :: stack
            character(kind=c_char), intent(in) :: name(*)
            real(c_float), intent(inout) :: values(*); integer(c_size_t), value :: count
        end function
        function c_stack_set_param(stack, name, values, count) &
                bind(C, name="mlstm_stack_set_param")
            import; integer(c_int32_t) :: c_stack_set_param; type(c_ptr), value :: stack
            character(kind=c_char), intent(in) :: name(*)
            real(c_float), intent(in) :: values(*); integer(c_size_t), value :: count
        end function

        function c_state_create(stack, batch, window, state) bind(C, name="mlstm_state_create")
            import; integer(c_int32_t) :: c_state_create; type(c_ptr), value :: stack
            integer(c_int32_t), value :: batch, window; type(c_ptr), intent(out) :: state
        end function
        subroutine c_state_destroy(state) bind(C, name="mlstm_state_destroy")
            import; type(c_ptr), value :: state
        end subroutine
        function c_state_zero(state) bind(C, name="mlstm_state_zero")
            import; integer(c_int32_t) :: c_state_zero; type(c_ptr), value :: state
        end function
        function c_state_begin_window(state) bind(C, name="mlstm_state_begin_window")
            import; integer(c_int32_t) :: c_state_begin_window; type(c_ptr), value :: state
        end function
        function c_state_begin_sequence(stack, state) bind(C, name="mlstm_state_begin_sequence")
            import; integer(c_int32_t) :: c_state_begin_sequence
            type(c_ptr), value :: stack, state
        end function
        function c_state_keep_steps(state, value) bind(C, name="mlstm_state_keep_steps")
            import; integer(c_int32_t) :: c_state_keep_steps
            type(c_ptr), value :: state; integer(c_int32_t), value :: value
        end function
        function c_state_training(state) bind(C, name="mlstm_state_training")
            import; integer(c_int32_t) :: c_state_training; type(c_ptr), value :: state
        end function
        function c_state_set_lengths(state, lengths, count) bind(C, name="mlstm_state_set_lengths")
            import; integer(c_int32_t) :: c_state_set_lengths; type(c_ptr), value :: state
            integer(c_int32_t), intent(in), optional :: lengths(*)
            integer(c_size_t), value :: count
        end function
        function c_state_set_training(state, training, seed) &
                bind(C, name="mlstm_state_set_training")
            import; integer(c_int32_t) :: c_state_set_training; type(c_ptr), value :: state
            integer(c_int32_t), value :: training; integer(c_int64_t), value :: seed
        end function
        function c_state_set_threads(state, threads) bind(C, name="mlstm_state_set_threads")
            import; integer(c_int32_t) :: c_state_set_threads
            type(c_ptr), value :: state; integer(c_int32_t), value :: threads
        end function
        function c_state_threads(state) bind(C, name="mlstm_state_threads")
            import; integer(c_int32_t) :: c_state_threads; type(c_ptr), value :: state
        end function
        function c_state_size(state) bind(C, name="mlstm_state_size")
            import; integer(c_size_t) :: c_state_size; type(c_ptr), value :: state
        end function
        function c_state_batch(state) bind(C, name="mlstm_state_batch")
            import; integer(c_int32_t) :: c_state_batch; type(c_ptr), value :: state
        end function
        function c_state_window(state) bind(C, name="mlstm_state_window")
            import; integer(c_int32_t) :: c_state_window; type(c_ptr), value :: state
        end function
        function c_state_steps(state) bind(C, name="mlstm_state_steps")
            import; integer(c_int32_t) :: c_state_steps; type(c_ptr), value :: state
        end function
        function c_state_bytes(state) bind(C, name="mlstm_state_bytes")
            import; integer(c_size_t) :: c_state_bytes; type(c_ptr), value :: state
        end function
        function c_state_set(state, values, count) bind(C, name="mlstm_state_set")
            import; integer(c_int32_t) :: c_state_set; type(c_ptr), value :: state
            real(c_float), intent(in) :: values(*); integer(c_size_t), value :: count
        end function
        function c_state_get(state, values, count) bind(C, name="mlstm_state_get")
            import; integer(c_int32_t) :: c_state_get; type(c_ptr), value :: state
            real(c_float), intent(inout) :: values(*); integer(c_size_t), value :: count
        end function
        function c_state_get_layer(state, layer, c, h) bind(C, name="mlstm_state_get_layer")
            import; integer(c_int32_t) :: c_state_get_layer
            type(c_ptr), value :: state, c, h; integer(c_int32_t), value :: layer
        end function
        function c_state_set_layer(state, layer, c, h) bind(C, name="mlstm_state_set_layer")
            import; integer(c_int32_t) :: c_state_set_layer
            type(c_ptr), value :: state, c, h; integer(c_int32_t), value :: layer
        end function
        function c_state_get_top(state, c, h) bind(C, name="mlstm_state_get_top")
            import; integer(c_int32_t) :: c_state_get_top; type(c_ptr), value :: state, c, h
        end function
        function c_state_set_final_grad(state, values, count) &
                bind(C, name="mlstm_state_set_final_grad")
            import; integer(c_int32_t) :: c_state_set_final_grad; type(c_ptr), value :: state
            real(c_float), intent(in), optional :: values(*); integer(c_size_t), value :: count
        end function
        function c_state_get_initial_grad(state, values, count) &
                bind(C, name="mlstm_state_get_initial_grad")
            import; integer(c_int32_t) :: c_state_get_initial_grad; type(c_ptr), value :: state
            real(c_float), intent(inout) :: values(*); integer(c_size_t), value :: count
        end function

        function c_grads_create(stack, grads) bind(C, name="mlstm_grads_create")
            import; integer(c_int32_t) :: c_grads_create
            type(c_ptr), value :: stack; type(c_ptr), intent(out) :: grads
        end function
        subroutine c_grads_destroy(grads) bind(C, name="mlstm_grads_destroy")
            import; type(c_ptr), value :: grads
        end subroutine
        function c_grads_zero(grads) bind(C, name="mlstm_grads_zero")
            import; integer(c_int32_t) :: c_grads_zero; type(c_ptr), value :: grads
        end function
        function c_grads_scale(grads, factor) bind(C, name="mlstm_grads_scale")
            import; integer(c_int32_t) :: c_grads_scale
            type(c_ptr), value :: grads; real(c_float), value :: factor
        end function
        function c_grads_add(grads, other) bind(C, name="mlstm_grads_add")
            import; integer(c_int32_t) :: c_grads_add; type(c_ptr), value :: grads, other
        end function
        function c_grads_norm(grads, norm) bind(C, name="mlstm_grads_norm")
            import; integer(c_int32_t) :: c_grads_norm
            type(c_ptr), value :: grads; real(c_float), intent(inout) :: norm
        end function
        function c_grads_clip_norm(grads, max_norm, norm) bind(C, name="mlstm_grads_clip_norm")
            import; integer(c_int32_t) :: c_grads_clip_norm; type(c_ptr), value :: grads
            real(c_float), value :: max_norm; real(c_float), intent(inout), optional :: norm
        end function
        function c_grads_clip_param_norm(grads, value) bind(C, name="mlstm_grads_clip_param_norm")
            import; integer(c_int32_t) :: c_grads_clip_param_norm
            type(c_ptr), value :: grads; real(c_float), value :: value
        end function
        function c_grads_clip_value(grads, value) bind(C, name="mlstm_grads_clip_value")
            import; integer(c_int32_t) :: c_grads_clip_value
            type(c_ptr), value :: grads; real(c_float), value :: value
        end function
        function c_grads_check(grads, name) bind(C, name="mlstm_grads_check")
            import; integer(c_int32_t) :: c_grads_check; type(c_ptr), value :: grads, name
        end function
        function c_grads_get(grads, name, values, count) bind(C, name="mlstm_grads_get")
            import; integer(c_int32_t) :: c_grads_get; type(c_ptr), value :: grads
            character(kind=c_char), intent(in) :: name(*)
            real(c_float), intent(inout) :: values(*); integer(c_size_t), value :: count
        end function
        function c_grads_set(grads, name, values, count) bind(C, name="mlstm_grads_set")
            import; integer(c_int32_t) :: c_grads_set; type(c_ptr), value :: grads
            character(kind=c_char), intent(in) :: name(*)
            real(c_float), intent(in) :: values(*); integer(c_size_t), value :: count
        end function
        function c_grads_data(grads, data, count) bind(C, name="mlstm_grads_data")
            import; integer(c_int32_t) :: c_grads_data; type(c_ptr), value :: grads
            type(c_ptr), intent(out) :: data; integer(c_size_t), intent(out) :: count
        end function

        function c_sgd_create(stack, rate, momentum, nesterov, optimizer) &
                bind(C, name="mlstm_sgd_create")
            import; integer(c_int32_t) :: c_sgd_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, momentum; integer(c_int32_t), value :: nesterov
            type(c_ptr), intent(out) :: optimizer
        end function
        function c_adagrad_create(stack, rate, accumulator, optimizer) &
                bind(C, name="mlstm_adagrad_create")
            import; integer(c_int32_t) :: c_adagrad_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, accumulator; type(c_ptr), intent(out) :: optimizer
        end function
        function c_rmsprop_create(stack, rate, decay, momentum, epsilon, centered, optimizer) &
                bind(C, name="mlstm_rmsprop_create")
            import; integer(c_int32_t) :: c_rmsprop_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, decay, momentum, epsilon
            integer(c_int32_t), value :: centered; type(c_ptr), intent(out) :: optimizer
        end function
        function c_adam_create(stack, rate, beta1, beta2, epsilon, optimizer) &
                bind(C, name="mlstm_adam_create")
            import; integer(c_int32_t) :: c_adam_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, beta1, beta2, epsilon
            type(c_ptr), intent(out) :: optimizer
        end function
        function c_amsgrad_create(stack, rate, beta1, beta2, epsilon, optimizer) &
                bind(C, name="mlstm_amsgrad_create")
            import; integer(c_int32_t) :: c_amsgrad_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, beta1, beta2, epsilon
            type(c_ptr), intent(out) :: optimizer
        end function
        function c_lion_create(stack, rate, beta1, beta2, weight_decay, optimizer) &
                bind(C, name="mlstm_lion_create")
            import; integer(c_int32_t) :: c_lion_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, beta1, beta2, weight_decay
            type(c_ptr), intent(out) :: optimizer
        end function
        function c_adamw_create(stack, rate, beta1, beta2, epsilon, weight_decay, optimizer) &
                bind(C, name="mlstm_adamw_create")
            import; integer(c_int32_t) :: c_adamw_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, beta1, beta2, epsilon, weight_decay
            type(c_ptr), intent(out) :: optimizer
        end function
        function c_nadam_create(stack, rate, beta1, beta2, epsilon, momentum_decay, optimizer) &
                bind(C, name="mlstm_nadam_create")
            import; integer(c_int32_t) :: c_nadam_create; type(c_ptr), value :: stack
            real(c_float), value :: rate, beta1, beta2, epsilon, momentum_decay
            type(c_ptr), intent(out) :: optimizer
        end function
        subroutine c_optimizer_destroy(optimizer) bind(C, name="mlstm_optimizer_destroy")
            import; type(c_ptr), value :: optimizer
        end subroutine
        function c_optimizer_set_rate(optimizer, rate) bind(C, name="mlstm_optimizer_set_rate")
            import; integer(c_int32_t) :: c_optimizer_set_rate
            type(c_ptr), value :: optimizer; real(c_float), value :: rate
        end function
        function c_optimizer_rate(optimizer) bind(C, name="mlstm_optimizer_rate")
            import; real(c_float) :: c_optimizer_rate; type(c_ptr), value :: optimizer
        end function
        function c_optimizer_step_count(optimizer) bind(C, name="mlstm_optimizer_step_count")
            import; integer(c_int64_t) :: c_optimizer_step_count; type(c_ptr), value :: optimizer
        end function
        function c_optimizer_set_step_count(optimizer, count) &
                bind(C, name="mlstm_optimizer_set_step_count")
            import; integer(c_int32_t) :: c_optimizer_set_step_count
            type(c_ptr), value :: optimizer; integer(c_int64_t), value :: count
        end function
        function c_optimizer_set_weight_decay(optimizer, name, decay) &
                bind(C, name="mlstm_optimizer_set_weight_decay")
            import; integer(c_int32_t) :: c_optimizer_set_weight_decay
            type(c_ptr), value :: optimizer; real(c_float), value :: decay
            character(kind=c_char), intent(in) :: name(*)
        end function
        function c_optimizer_weight_decay(optimizer, name) &
                bind(C, name="mlstm_optimizer_weight_decay")
            import; real(c_float) :: c_optimizer_weight_decay; type(c_ptr), value :: optimizer
            character(kind=c_char), intent(in) :: name(*)
        end function
        function c_optimizer_set_frozen(optimizer, name, frozen) &
                bind(C, name="mlstm_optimizer_set_frozen")
            import; integer(c_int32_t) :: c_optimizer_set_frozen
            type(c_ptr), value :: optimizer; integer(c_int32_t), value :: frozen
            character(kind=c_char), intent(in) :: name(*)
        end function
        function c_optimizer_frozen(optimizer, name) bind(C, name="mlstm_optimizer_frozen")
            import; integer(c_int32_t) :: c_optimizer_frozen; type(c_ptr), value :: optimizer
            character(kind=c_char), intent(in) :: name(*)
        end function
        function c_optimizer_slot_count(optimizer) bind(C, name="mlstm_optimizer_slot_count")
            import; integer(c_int32_t) :: c_optimizer_slot_count; type(c_ptr), value :: optimizer
        end function
        function c_optimizer_slot_name(optimizer, index) bind(C, name="mlstm_optimizer_slot_name")
            import; type(c_ptr) :: c_optimizer_slot_name
            type(c_ptr), value :: optimizer; integer(c_int32_t), value :: index
        end function
        function c_optimizer_get_slot(optimizer, slot, name, values, count) &
                bind(C, name="mlstm_optimizer_get_slot")
            import; integer(c_int32_t) :: c_optimizer_get_slot; type(c_ptr), value :: optimizer
            character(kind=c_char), intent(in) :: slot(*), name(*)
            real(c_float), intent(inout) :: values(*); integer(c_size_t), value :: count
        end function
        function c_optimizer_set_slot(optimizer, slot, name, values, count) &
                bind(C, name="mlstm_optimizer_set_slot")
            import; integer(c_int32_t) :: c_optimizer_set_slot; type(c_ptr), value :: optimizer
            character(kind=c_char), intent(in) :: slot(*), name(*)
            real(c_float), intent(in) :: values(*); integer(c_size_t), value :: count
        end function
        function c_apply_grads(optimizer, stack, grads) bind(C, name="mlstm_apply_grads")
            import; integer(c_int32_t) :: c_apply_grads
            type(c_ptr), value :: optimizer, stack, grads
        end function
        function c_state_apply_grads(state, optimizer, stack, grads) &
                bind(C, name="mlstm_state_apply_grads")
            import; integer(c_int32_t) :: c_state_apply_grads
            type(c_ptr), value :: state, optimizer, stack, grads
        end function

        function c_step_forward(stack, state, x, y) bind(C, name="mlstm_step_forward")
            import; integer(c_int32_t) :: c_step_forward; type(c_ptr), value :: stack, state
            real(c_float), intent(in) :: x(*); type(c_ptr), value :: y
        end function
        function c_forward(stack, state, x, steps, y) bind(C, name="mlstm_forward")
            import; integer(c_int32_t) :: c_forward; type(c_ptr), value :: stack, state
            real(c_float), intent(in) :: x(*); integer(c_int32_t), value :: steps
            type(c_ptr), value :: y
        end function
        function c_backward(stack, state, dy, dh_top, dc_top, dx, grads) &
                bind(C, name="mlstm_backward")
            import; integer(c_int32_t) :: c_backward; type(c_ptr), value :: stack, state, grads
            type(c_ptr), value :: dy, dh_top, dc_top, dx
        end function
        function c_softmax(logits, rows, classes, probabilities) bind(C, name="mlstm_softmax")
            import; integer(c_int32_t) :: c_softmax
            real(c_float), intent(in) :: logits(*); integer(c_size_t), value :: rows
            integer(c_int32_t), value :: classes; real(c_float), intent(inout) :: probabilities(*)
        end function
        function c_softmax_cross_entropy(logits, labels, rows, classes, probabilities, dlogits, &
                loss) bind(C, name="mlstm_softmax_cross_entropy")
            import; integer(c_int32_t) :: c_softmax_cross_entropy
            real(c_float), intent(in) :: logits(*); integer(c_int32_t), intent(in) :: labels(*)
            integer(c_size_t), value :: rows; integer(c_int32_t), value :: classes
            type(c_ptr), value :: probabilities, dlogits
            real(c_float), intent(inout) :: loss
        end function
        function c_softmax_cross_entropy_weighted(logits, labels, weights, rows, classes, &
                ignored, smoothing, probabilities, dlogits, loss) &
                bind(C, name="mlstm_softmax_cross_entropy_weighted")
            import; integer(c_int32_t) :: c_softmax_cross_entropy_weighted
            real(c_float), intent(in) :: logits(*); integer(c_int32_t), intent(in) :: labels(*)
            integer(c_size_t), value :: rows; integer(c_int32_t), value :: classes, ignored
            real(c_float), value :: smoothing
            type(c_ptr), value :: weights, probabilities, dlogits
            real(c_float), intent(inout) :: loss
        end function
        function c_sigmoid_cross_entropy(outputs, targets, count, doutputs, loss) &
                bind(C, name="mlstm_sigmoid_cross_entropy")
            import; integer(c_int32_t) :: c_sigmoid_cross_entropy
            real(c_float), intent(in) :: outputs(*), targets(*); integer(c_size_t), value :: count
            type(c_ptr), value :: doutputs
            real(c_float), intent(inout) :: loss
        end function
        function c_absolute_error(outputs, targets, count, doutputs, loss) &
                bind(C, name="mlstm_absolute_error")
            import; integer(c_int32_t) :: c_absolute_error
            real(c_float), intent(in) :: outputs(*), targets(*); integer(c_size_t), value :: count
            type(c_ptr), value :: doutputs
            real(c_float), intent(inout) :: loss
        end function
        function c_huber_loss(outputs, targets, count, delta, doutputs, loss) &
                bind(C, name="mlstm_huber_loss")
            import; integer(c_int32_t) :: c_huber_loss
            real(c_float), intent(in) :: outputs(*), targets(*); integer(c_size_t), value :: count
            real(c_float), value :: delta; type(c_ptr), value :: doutputs
            real(c_float), intent(inout) :: loss
        end function
        function c_squared_error(outputs, targets, count, doutputs, loss) &
                bind(C, name="mlstm_squared_error")
            import; integer(c_int32_t) :: c_squared_error
            real(c_float), intent(in) :: outputs(*), targets(*); integer(c_size_t), value :: count
            type(c_ptr), value :: doutputs
            real(c_float), intent(inout) :: loss
        end function
        function c_weighted_loss(kind, outputs, targets, weights, rows, columns, delta, doutputs, &
                loss) bind(C, name="mlstm_weighted_loss")
            import; integer(c_int32_t) :: c_weighted_loss
            real(c_float), intent(in) :: outputs(*), targets(*), weights(*)
            integer(c_size_t), value :: rows; integer(c_int32_t), value :: kind, columns
            real(c_float), value :: delta; type(c_ptr), value :: doutputs
            real(c_float), intent(inout) :: loss
        end function

        ! Those that take numbers alone need no wrapper.
        function mlstm_schedule_step(rate, step, period, factor) bind(C)
            import; real(c_float) :: mlstm_schedule_step; real(c_float), value :: rate, factor
            integer(c_int64_t), value :: step, period
        end function
        function mlstm_schedule_exponential(rate, step, period, factor) bind(C)
            import; real(c_float) :: mlstm_schedule_exponential
            real(c_float), value :: rate, factor; integer(c_int64_t), value :: step, period
        end function
        function mlstm_schedule_cosine(rate, step, steps, alpha) bind(C)
            import; real(c_float) :: mlstm_schedule_cosine
            real(c_float), value :: rate, alpha; integer(c_int64_t), value :: step, steps
        end function
        function mlstm_schedule_warmup(rate, step, steps, start) bind(C)
            import; real(c_float) :: mlstm_schedule_warmup
            real(c_float), value :: rate, start; integer(c_int64_t), value :: step, steps
        end function
        function mlstm_schedule_loss_scale(scale, finite, period, growth, backoff, streak) bind(C)
            import; real(c_float) :: mlstm_schedule_loss_scale
            real(c_float), value :: scale, growth, backoff; integer(c_int32_t), value :: finite
            integer(c_int64_t), value :: period; integer(c_int64_t), intent(inout) :: streak
        end function
    end interface

end module
