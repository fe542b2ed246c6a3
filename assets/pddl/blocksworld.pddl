; Blocks on a table are to be stacked as told, by one arm that holds one block at a time.
(define (domain blocksworld)
  (:requirements :strips :typing)
  (:types block)
  (:predicates
    (clear ?x - block)
    (on-table ?x - block)
    (on ?x ?y - block)
    (holding ?x - block)
    (arm-empty))

  (:action pickup
    :parameters (?x - block)
    :precondition (and (arm-empty) (clear ?x) (on-table ?x))
    :effect (and (holding ?x) (not (arm-empty)) (not (clear ?x)) (not (on-table ?x))))

  (:action putdown
    :parameters (?x - block)
    :precondition (holding ?x)
    :effect (and (arm-empty) (clear ?x) (on-table ?x) (not (holding ?x))))

  (:action stack
    :parameters (?x ?y - block)
    :precondition (and (holding ?x) (clear ?y))
    :effect (and (arm-empty) (clear ?x) (on ?x ?y) (not (holding ?x)) (not (clear ?y))))

  (:action unstack
    :parameters (?x ?y - block)
    :precondition (and (arm-empty) (clear ?x) (on ?x ?y))
    :effect (and (holding ?x) (clear ?y) (not (arm-empty)) (not (clear ?x)) (not (on ?x ?y)))))
